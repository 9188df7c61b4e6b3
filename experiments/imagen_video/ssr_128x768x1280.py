"""Imagen Video, stage 7 of 7: four times the rows and columns (Ho et al. 2022, figure 6).

    vdm-jax train experiments/imagen_video/ssr_128x768x1280.py \\
        --workdir runs/imagen_video/ssr_128x768x1280

From 192x320 pixels to 768x1280, 128 frames at 24 a second. 0.34 billion parameters (the paper:
0.34). Fully convolutional, but for attention to the caption, which has no places: trained on random
256x256 crops, cut out of 288x288 ones once they have been made small, so that their edges are not
those of the resizing filter.
Captioned videos and images: `python -m data.build webvid_csv` and `images_csv` (data/README.md);
their captions: `vdm-jax embed`.
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
