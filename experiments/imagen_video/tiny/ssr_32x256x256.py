"""Imagen Video in miniature, stage 7 of 7: 64x64 to 256x256 pixels, 32 frames.

    vdm-jax train experiments/imagen_video/tiny/ssr_32x256x256.py --workdir runs/tiny/ssr_32x256x256

All seven: vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
Cost and our numbers: experiments/imagen_video/tiny_cascade.py.
"""

from vdm_jax import data, training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.moving_shapes_stage(
        data.RandomSubclips(tiny_imagen_video.source(frames=32, size=256), frames=4, size=144),
        size=4,
        crop=128,
        patch=4,
        batch=2,
        steps=800,
        clips=16,
    )
