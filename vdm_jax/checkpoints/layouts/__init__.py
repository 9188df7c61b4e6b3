"""Layouts of published checkpoints, one file for each family."""

from collections.abc import Iterable

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.layouts.autoencoder_kl import AUTOENCODER_KL, AUTOENCODER_KL_2022
from vdm_jax.checkpoints.layouts.clip import CLIP_TEXT, CLIP_TEXT_5, CLIP_TEXT_PROJECTED
from vdm_jax.checkpoints.layouts.t5 import T5_ORIGINAL, T5_V1_1
from vdm_jax.checkpoints.layouts.unet_2d import STABLE_DIFFUSION_1, STABLE_DIFFUSION_2, unet_2d

LAYOUTS = (
    T5_V1_1,
    T5_ORIGINAL,
    CLIP_TEXT_PROJECTED,
    CLIP_TEXT,
    CLIP_TEXT_5,
    AUTOENCODER_KL,
    AUTOENCODER_KL_2022,
    STABLE_DIFFUSION_1,
    STABLE_DIFFUSION_2,
)


def recognise(names: Iterable[str]) -> tuple[Layout, float]:
    """The layout that a set of tensor names fits best, and how well, from 0 to 1."""
    names = tuple(names)
    return max(((layout, layout.matches(names)) for layout in LAYOUTS), key=lambda found: found[1])


__all__ = [
    "AUTOENCODER_KL",
    "AUTOENCODER_KL_2022",
    "CLIP_TEXT",
    "CLIP_TEXT_5",
    "CLIP_TEXT_PROJECTED",
    "LAYOUTS",
    "STABLE_DIFFUSION_1",
    "STABLE_DIFFUSION_2",
    "T5_ORIGINAL",
    "T5_V1_1",
    "recognise",
    "unet_2d",
]
