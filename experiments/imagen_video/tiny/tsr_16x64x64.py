"""Imagen Video in miniature, stage 5 of 7: from 8 frames to 16, of 64x64 pixels.

vdm-jax train experiments/imagen_video/tiny/tsr_16x64x64.py --workdir runs/tiny/tsr_16x64x64
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.shapes(
        tiny_imagen_video.source(frames=16, size=64),
        frames=2,
        patch=4,
        batch=2,
        steps=800,
        clips=32,
    )
