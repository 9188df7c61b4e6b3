"""Imagen Video, stage 7 of 7: four times the height and width (Ho et al. 2022, figure 6).

    vdm-jax train experiments/imagen_video/ssr_128x768x1280.py \\
        --workdir runs/imagen_video/ssr_128x768x1280

192x320 pixels to 768x1280, 128 frames at 24 a second. 0.34 billion parameters (paper: 0.34). Fully
convolutional, except for attention to the caption, which uses no positions. Trains on random
256x256 crops of 288x288 crops: the outer crop is downsampled first, so that the inner one has no
border effects of the resizing filter.
Data: captioned videos and images, by `python -m data.build webvid_csv` and `images_csv`
(data/README.md); caption embeddings, by `vdm-jax embed`.
Cost: 20,806 chip-hours of TPU v5p for 2,000,000 steps (compiled estimate, README.md).
Paper: 128 steps of sampling, constant guidance. Ours: not trained yet.
"""

from vdm_jax import data, training
from vdm_jax.systems import imagen_video


def experiment() -> training.Experiment:
    return imagen_video.experiment(
        model=imagen_video.super_resolution(
            channels=128,
            widths=(1, 2, 4, 6),
            blocks=(2, 4, 8, 8),
        ),
        source=imagen_video.clips(
            frames=128, fps=24.0, size=288, crop=data.RandomPatch(of=(768, 1280))
        ),
        lowres=training.LowRes(size=4, crop=256),
        batch=64,
        guidance=6.0,
        steps=128,
    )
