"""Layouts of published checkpoints, one file for each family."""

from collections.abc import Callable, Iterable

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


def recognise(
    names: Iterable[str], shape: Callable[[str], tuple[int, ...]] | None = None
) -> tuple[Layout, float]:
    """The layout that tensors fit best, by name and, given a name, shape: and how well, 0 to 1."""
    names = tuple(names)
    fits = ((layout, layout.matches(names, shape)) for layout in LAYOUTS)
    return max(fits, key=lambda found: found[1])


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
