"""Layers of the networks: they map arrays to arrays and have never heard of diffusion."""

from vdm_jax.nn.activations import GELU, Activation, QuickGELU, ReLU, TanhGELU
from vdm_jax.nn.attention import attend, attend_linearly
from vdm_jax.nn.axes import Places, place, placing, use
from vdm_jax.nn.blocks import (
    AdditiveBlock,
    DoublingConvolution,
    HalvingConvolution,
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
    Guidance,
    Label,
    LogSNR,
    LowresLogSNR,
    Normed,
    PooledText,
    TextByFrame,
    per_frame,
    sinusoids,
)
from vdm_jax.nn.encoder_blocks import EncoderBlock, KeysWithoutBias, layer_norm
from vdm_jax.nn.frames import same_clip
from vdm_jax.nn.linear import Projections, convolution, dense
from vdm_jax.nn.mixers import (
    FeedForward,
    LinearSpatialAttention,
    SpatialAttention,
    TemporalAttention,
    TemporalConvolution,
    TextAttention,
    among_positions,
    among_words,
    projections,
)
from vdm_jax.nn.names import adopt
from vdm_jax.nn.norms import BatchNorm, GroupNorm, InstanceNorm, RMSNorm
from vdm_jax.nn.positions import BucketedPositions, RelativePositions
from vdm_jax.nn.steps import StepNumber, Steps
from vdm_jax.nn.transformers import CrossAttention, GatedFeedForward, SelfAttention, Transformer

__all__ = [
    "GELU",
    "Activation",
    "AdditiveBlock",
    "BatchNorm",
    "BucketedPositions",
    "Conditions",
    "CrossAttention",
    "DoublingConvolution",
    "Embedding",
    "EncoderBlock",
    "FeedForward",
    "GatedFeedForward",
    "GroupNorm",
    "Guidance",
    "HalvingConvolution",
    "InstanceNorm",
    "KeysWithoutBias",
    "Label",
    "LinearSpatialAttention",
    "LogSNR",
    "LowresLogSNR",
    "Normed",
    "Places",
    "PooledText",
    "Projections",
    "QuickGELU",
    "RMSNorm",
    "ReLU",
    "RelativePositions",
    "ResBlock",
    "SelfAttention",
    "SpatialAttention",
    "StepNumber",
    "Steps",
    "Stride",
    "TanhGELU",
    "TemporalAttention",
    "TemporalConvolution",
    "TextAttention",
    "TextByFrame",
    "Transformer",
    "adopt",
    "among_positions",
    "among_words",
    "attend",
    "attend_linearly",
    "convolution",
    "dense",
    "depth_to_space",
    "enlarge",
    "layer_norm",
    "per_frame",
    "place",
    "placing",
    "projections",
    "same_clip",
    "shrink",
    "sinusoids",
    "space_to_depth",
    "use",
]
