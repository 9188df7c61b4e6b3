"""Imagen Video in miniature, stage 3 of 7: from 8x8 pixels to 16x16, 8 frames.

vdm-jax train experiments/imagen_video/tiny/ssr_8x16x16.py --workdir runs/tiny/ssr_8x16x16
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.shapes(
        tiny_imagen_video.source(frames=8, size=16),
        size=2,
        strides=(2, 2),
        batch=16,
        steps=1000,
    )
