"""Imagen Video in miniature, stage 7 of 7: from 64x64 pixels to 256x256.

vdm-jax train experiments/imagen_video/tiny/ssr_32x256x256.py --workdir runs/tiny/ssr_32x256x256
"""

from vdm_jax import data, training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.shapes(
        data.RandomSubclips(tiny_imagen_video.source(frames=32, size=256), frames=4, size=144),
        size=4,
        crop=128,
        patch=4,
        batch=2,
        steps=800,
        clips=16,
    )
