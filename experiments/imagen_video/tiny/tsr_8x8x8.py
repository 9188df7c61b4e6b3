"""Imagen Video in miniature, stage 2 of 7: from 4 frames to 8, of 8x8 pixels.

vdm-jax train experiments/imagen_video/tiny/tsr_8x8x8.py --workdir runs/tiny/tsr_8x8x8
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.shapes(
        tiny_imagen_video.source(frames=8, size=8),
        frames=2,
        batch=16,
        steps=1200,
    )
