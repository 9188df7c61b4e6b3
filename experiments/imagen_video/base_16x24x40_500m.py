"""Imagen Video, the smallest base model (Ho et al. 2022, section 3.2 and figure 11).

    vdm-jax train experiments/imagen_video/base_16x24x40_500m.py \\
        --workdir runs/imagen_video/base_16x24x40_500m

16 frames of 24x40 pixels at 3 a second, from captions. 0.50 billion parameters (paper: 0.5).
Data: captioned videos and images, by `python -m data.build webvid_csv` and `images_csv`
(data/README.md); caption embeddings, by `vdm-jax embed`.
Cost: 25,089 chip-hours of TPU v5p for 2,000,000 steps (compiled estimate, README.md).
Paper: 256 steps of sampling, guidance oscillating between 15 and 1; hardware, batch and updates are
not published. Ours: not trained yet.
"""

from vdm_jax import diffusion, training
from vdm_jax.systems import imagen_video


def experiment() -> training.Experiment:
    return imagen_video.experiment(
        model=imagen_video.base(channels=256, blocks=(2, 2, 2, 2)),
        source=imagen_video.clips(frames=16, fps=3.0, size=(24, 40)),
        batch=2048,
        guidance=diffusion.Oscillating(high=15.0, low=1.0, steps=256),
        steps=256,
    )
