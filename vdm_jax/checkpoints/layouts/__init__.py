"""Layouts of published checkpoints, one module for each family."""

from collections.abc import Callable, Iterable

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.layouts.autoencoder_kl import AUTOENCODER_KL, AUTOENCODER_KL_2022
from vdm_jax.checkpoints.layouts.c3d import C3D_CHAINER, C3D_TORCH
from vdm_jax.checkpoints.layouts.clip import (
    CLIP_IMAGE,
    CLIP_TEXT,
    CLIP_TEXT_5,
    CLIP_TEXT_PROJECTED,
)
from vdm_jax.checkpoints.layouts.i3d import (
    I3D_HASSONY2,
    I3D_PIERGIAJ,
    I3D_TENSORFLOW,
    I3D_TENSORFLOW_HUB,
)
from vdm_jax.checkpoints.layouts.inception import INCEPTION
from vdm_jax.checkpoints.layouts.lpips import LPIPS_HEADS, SQUEEZENET, TORCHVISION_TRUNK
from vdm_jax.checkpoints.layouts.raft import (
    RAFT_LARGE,
    RAFT_LARGE_TORCHVISION,
    RAFT_SMALL,
    RAFT_SMALL_TORCHVISION,
)
from vdm_jax.checkpoints.layouts.t5 import T5_ORIGINAL, T5_V1_1
from vdm_jax.checkpoints.layouts.unet_2d import STABLE_DIFFUSION_1, STABLE_DIFFUSION_2, unet_2d
from vdm_jax.checkpoints.layouts.video_mae import VIDEO_MAE, VIDEO_MAE_HUGGING_FACE

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
    CLIP_IMAGE,
    VIDEO_MAE,
    VIDEO_MAE_HUGGING_FACE,
    RAFT_SMALL,
    RAFT_LARGE,
    RAFT_SMALL_TORCHVISION,
    RAFT_LARGE_TORCHVISION,
    LPIPS_HEADS,
    TORCHVISION_TRUNK,
    SQUEEZENET,
    I3D_TENSORFLOW,
    I3D_TENSORFLOW_HUB,
    I3D_PIERGIAJ,
    I3D_HASSONY2,
    C3D_CHAINER,
    C3D_TORCH,
    INCEPTION,
)


def recognize(
    names: Iterable[str], shape: Callable[[str], tuple[int, ...]] | None = None
) -> tuple[Layout, float]:
    """The layout that best matches tensors by name and shape, and its score, 0 to 1."""
    names = tuple(names)
    scores = ((layout, layout.match_score(names, shape)) for layout in LAYOUTS)
    return max(scores, key=lambda pair: pair[1])


__all__ = [
    "AUTOENCODER_KL",
    "AUTOENCODER_KL_2022",
    "C3D_CHAINER",
    "C3D_TORCH",
    "CLIP_IMAGE",
    "CLIP_TEXT",
    "CLIP_TEXT_5",
    "CLIP_TEXT_PROJECTED",
    "I3D_HASSONY2",
    "I3D_PIERGIAJ",
    "I3D_TENSORFLOW",
    "I3D_TENSORFLOW_HUB",
    "INCEPTION",
    "LAYOUTS",
    "LPIPS_HEADS",
    "RAFT_LARGE",
    "RAFT_LARGE_TORCHVISION",
    "RAFT_SMALL",
    "RAFT_SMALL_TORCHVISION",
    "SQUEEZENET",
    "STABLE_DIFFUSION_1",
    "STABLE_DIFFUSION_2",
    "T5_ORIGINAL",
    "T5_V1_1",
    "TORCHVISION_TRUNK",
    "VIDEO_MAE",
    "VIDEO_MAE_HUGGING_FACE",
    "recognize",
    "unet_2d",
]
