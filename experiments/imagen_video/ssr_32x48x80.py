"""Imagen Video, stage 3 of 7: twice the height and width (Ho et al. 2022, figure 6).

    vdm-jax train experiments/imagen_video/ssr_32x48x80.py \\
        --workdir runs/imagen_video/ssr_32x48x80

24x40 pixels to 48x80, 32 frames at 6 a second. 1.35 billion parameters (paper: 1.4). Spatial
attention at 6x10 and 3x5.
Data: captioned videos and images, by `python -m data.build webvid_csv` and `images_csv`
(data/README.md); caption embeddings, by `vdm-jax embed`.
Cost: 36,883 chip-hours of TPU v5p for 2,000,000 steps (compiled estimate, README.md).
Paper: 128 steps of sampling, guidance oscillating between 15 and 1. Ours: not trained yet.
"""

from vdm_jax import diffusion, training
from vdm_jax.systems import imagen_video


def experiment() -> training.Experiment:
    return imagen_video.experiment(
        model=imagen_video.super_resolution(
            channels=256,
            widths=(1, 2, 4, 8),
            blocks=(2, 4, 8, 5),
            spatial=(False, False, True, True),
        ),
        source=imagen_video.clips(frames=32, fps=6.0, size=(48, 80)),
        lowres=training.LowRes(size=2),
        batch=2048,
        guidance=diffusion.Oscillating(high=15.0, low=1.0, steps=128),
        steps=128,
    )
