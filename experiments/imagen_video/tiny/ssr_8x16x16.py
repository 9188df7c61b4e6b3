"""Imagen Video in miniature, stage 3 of 7: 8x8 to 16x16 pixels, 8 frames.

    vdm-jax train experiments/imagen_video/tiny/ssr_8x16x16.py --workdir runs/tiny/ssr_8x16x16

All seven: vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
Cost and our numbers: experiments/imagen_video/tiny_cascade.py.
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.moving_shapes_stage(
        tiny_imagen_video.source(frames=8, size=16),
        size=2,
        strides=(2, 2),
        batch=16,
        steps=1000,
    )
