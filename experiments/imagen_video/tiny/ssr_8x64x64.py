"""Imagen Video in miniature, stage 4 of 7: from 16x16 pixels to 64x64, 8 frames.

vdm-jax train experiments/imagen_video/tiny/ssr_8x64x64.py --workdir runs/tiny/ssr_8x64x64
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.shapes(
        tiny_imagen_video.source(frames=8, size=64),
        size=4,
        patch=4,
        batch=4,
        steps=800,
    )
