"""Imagen Video in miniature, stage 6 of 7: 16 to 32 frames of 64x64 pixels.

    vdm-jax train experiments/imagen_video/tiny/tsr_32x64x64.py --workdir runs/tiny/tsr_32x64x64

All seven: vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
Cost and our numbers: experiments/imagen_video/tiny_cascade.py.
"""

from vdm_jax import data, training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.moving_shapes_stage(
        data.RandomSubclips(tiny_imagen_video.source(frames=32, size=64), frames=16, size=64),
        frames=2,
        crop=64,
        patch=4,
        batch=2,
        steps=800,
        clips=32,
    )
