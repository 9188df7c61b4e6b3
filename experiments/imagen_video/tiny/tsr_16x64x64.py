"""Imagen Video in miniature, stage 5 of 7: 8 to 16 frames of 64x64 pixels.

    vdm-jax train experiments/imagen_video/tiny/tsr_16x64x64.py --workdir runs/tiny/tsr_16x64x64

All seven: vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
Cost and our numbers: experiments/imagen_video/tiny_cascade.py.
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.moving_shapes_stage(
        tiny_imagen_video.source(frames=16, size=64),
        frames=2,
        patch=4,
        batch=2,
        steps=800,
        clips=32,
    )
