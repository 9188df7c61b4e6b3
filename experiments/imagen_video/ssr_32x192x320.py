"""Imagen Video, stage 4 of 7: four times the height and width (Ho et al. 2022, figure 6).

    vdm-jax train experiments/imagen_video/ssr_32x192x320.py \\
        --workdir runs/imagen_video/ssr_32x192x320

48x80 pixels to 192x320, 32 frames at 6 a second. 1.14 billion parameters (paper: 1.2). Spatial
attention at 12x20.
Data: captioned videos and images, by `python -m data.build webvid_csv` and `images_csv`
(data/README.md); caption embeddings, by `vdm-jax embed`.
Cost: 97,913 chip-hours of TPU v5p for 2,000,000 steps (compiled estimate, README.md).
Paper: 128 steps of sampling, constant guidance. Ours: not trained yet.
"""

from vdm_jax import training
from vdm_jax.systems import imagen_video


def experiment() -> training.Experiment:
    return imagen_video.experiment(
        model=imagen_video.super_resolution(
            channels=192,
            widths=(1, 2, 4, 8),
            blocks=(2, 4, 8, 9),
            spatial=(False, False, False, True),
        ),
        source=imagen_video.clips(frames=32, fps=6.0, size=(192, 320)),
        lowres=training.LowRes(size=4),
        batch=512,
        guidance=6.0,
        steps=128,
    )
