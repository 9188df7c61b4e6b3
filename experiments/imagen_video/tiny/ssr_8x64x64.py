"""Imagen Video in miniature, stage 4 of 7: 16x16 to 64x64 pixels, 8 frames.

    vdm-jax train experiments/imagen_video/tiny/ssr_8x64x64.py --workdir runs/tiny/ssr_8x64x64

All seven: vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
Cost and our numbers: experiments/imagen_video/tiny_cascade.py.
"""

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.moving_shapes_stage(
        tiny_imagen_video.source(frames=8, size=64),
        size=4,
        patch=4,
        batch=4,
        steps=800,
    )
