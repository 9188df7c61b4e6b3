"""Layers of the networks: they map arrays to arrays and have never heard of diffusion."""

from vdm_jax.nn.attention import attend, attend_linearly
from vdm_jax.nn.blocks import (
    ResBlock,
    Stride,
    depth_to_space,
    enlarge,
    shrink,
    space_to_depth,
)
from vdm_jax.nn.embeddings import (
    Conditions,
    Embedding,
    Label,
    LogSNR,
    Normed,
    PooledText,
    TextByFrame,
    per_frame,
    sinusoids,
)
from vdm_jax.nn.frames import same_clip
from vdm_jax.nn.linear import convolution, dense
from vdm_jax.nn.mixers import (
    FeedForward,
    LinearSpatialAttention,
    SpatialAttention,
    TemporalAttention,
    TextAttention,
)
from vdm_jax.nn.names import adopt
from vdm_jax.nn.norms import GroupNorm
from vdm_jax.nn.positions import RelativePositions

__all__ = [
    "Conditions",
    "Embedding",
    "FeedForward",
    "GroupNorm",
    "Label",
    "LinearSpatialAttention",
    "LogSNR",
    "Normed",
    "PooledText",
    "RelativePositions",
    "ResBlock",
    "SpatialAttention",
    "Stride",
    "TemporalAttention",
    "TextAttention",
    "TextByFrame",
    "adopt",
    "attend",
    "attend_linearly",
    "convolution",
    "dense",
    "depth_to_space",
    "enlarge",
    "per_frame",
    "same_clip",
    "shrink",
    "sinusoids",
    "space_to_depth",
]
