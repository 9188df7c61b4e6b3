"""Networks: diffusion models `(z, logsnr, cond, train=) -> output`, text encoders, metrics."""

from vdm_jax.models.autoencoder import AutoencoderKL
from vdm_jax.models.conditioning import Conditioning
from vdm_jax.models.features import (
    C3D,
    I3D,
    VGG16,
    AlexNet,
    BasicBlock,
    BilinearFlow,
    BottleneckBlock,
    C3DOutputs,
    ClipImage,
    ConvexFlow,
    FlowUpdate,
    FrameEncoder,
    Inception,
    InceptionOutputs,
    Lpips,
    LpipsHeads,
    Raft,
    SqueezeNet,
    VideoMAE,
)
from vdm_jax.models.latent_level import LatentLevel
from vdm_jax.models.patched import Patched
from vdm_jax.models.projected_text import ProjectedText
from vdm_jax.models.super_resolution import EfficientLevel, Residual, SuperResolution
from vdm_jax.models.temporal_upsampling import (
    Blank,
    LinearBlend,
    MotionCompensated,
    Repeat,
    TemporalUpsample,
)
from vdm_jax.models.text import T5, ClipText, FeedForward, GatedFeedForward, WordEncoder
from vdm_jax.models.unet import Level, UNet

__all__ = [
    "C3D",
    "I3D",
    "T5",
    "VGG16",
    "AlexNet",
    "AutoencoderKL",
    "BasicBlock",
    "BilinearFlow",
    "Blank",
    "BottleneckBlock",
    "C3DOutputs",
    "ClipImage",
    "ClipText",
    "Conditioning",
    "ConvexFlow",
    "EfficientLevel",
    "FeedForward",
    "FlowUpdate",
    "FrameEncoder",
    "GatedFeedForward",
    "Inception",
    "InceptionOutputs",
    "LatentLevel",
    "Level",
    "LinearBlend",
    "Lpips",
    "LpipsHeads",
    "MotionCompensated",
    "Patched",
    "ProjectedText",
    "Raft",
    "Repeat",
    "Residual",
    "SqueezeNet",
    "SuperResolution",
    "TemporalUpsample",
    "UNet",
    "VideoMAE",
    "WordEncoder",
]
