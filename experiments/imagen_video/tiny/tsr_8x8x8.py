"""Imagen Video in miniature, stage 2 of 7: 4 to 8 frames of 8x8 pixels.

    vdm-jax train experiments/imagen_video/tiny/tsr_8x8x8.py --workdir runs/tiny/tsr_8x8x8

All seven: vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
Cost and our numbers: experiments/imagen_video/tiny_cascade.py.
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.moving_shapes_stage(
        tiny_imagen_video.source(frames=8, size=8),
        frames=2,
        batch=16,
        steps=1200,
    )
