"""Imagen Video, stage 2 of 7: twice the frames (Ho et al. 2022, figure 6).

    vdm-jax train experiments/imagen_video/tsr_32x24x40.py \\
        --workdir runs/imagen_video/tsr_32x24x40

16 frames at 3 a second to 32 at 6, 24x40 pixels. 1.67 billion parameters (paper: 1.7). Spatial
attention at 6x10 and 3x5; the paper does not state where.
Data: captioned videos and images, by `python -m data.build webvid_csv` and `images_csv`
(data/README.md); caption embeddings, by `vdm-jax embed`.
Cost: 38,683 chip-hours of TPU v5p for 2,000,000 steps (compiled estimate, README.md).
Paper: 128 steps of sampling, guidance oscillating between 15 and 1. Ours: not trained yet.
"""

from vdm_jax import diffusion, training
from vdm_jax.systems import imagen_video


def experiment() -> training.Experiment:
    return imagen_video.experiment(
        model=imagen_video.super_resolution(
            channels=256,
            widths=(1, 2, 4, 8),
            blocks=(2, 4, 8, 7),
            strides=(1, 2, 2, 2),
            spatial=(False, False, True, True),
        ),
        source=imagen_video.clips(frames=32, fps=6.0, size=(24, 40)),
        lowres=training.LowRes(frames=2),
        batch=2048,
        guidance=diffusion.Oscillating(high=15.0, low=1.0, steps=128),
        steps=128,
    )
