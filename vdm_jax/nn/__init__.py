"""Layers of the networks: they map arrays to arrays and have never heard of diffusion."""

from vdm_jax.nn.activations import GELU, Activation, QuickGELU, ReLU, TanhGELU
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
    LowresLogSNR,
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
    TemporalConvolution,
    TextAttention,
)
from vdm_jax.nn.names import adopt
from vdm_jax.nn.norms import GroupNorm, RMSNorm
from vdm_jax.nn.positions import BucketedPositions, RelativePositions

__all__ = [
    "GELU",
    "Activation",
    "BucketedPositions",
    "Conditions",
    "Embedding",
    "FeedForward",
    "GroupNorm",
    "Label",
    "LinearSpatialAttention",
    "LogSNR",
    "LowresLogSNR",
    "Normed",
    "PooledText",
    "QuickGELU",
    "RMSNorm",
    "ReLU",
    "RelativePositions",
    "ResBlock",
    "SpatialAttention",
    "Stride",
    "TanhGELU",
    "TemporalAttention",
    "TemporalConvolution",
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
