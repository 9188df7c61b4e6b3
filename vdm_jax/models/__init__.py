"""Networks: of diffusion, all called as `(z, logsnr, cond, train=) -> output`; text; metrics."""

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
from vdm_jax.models.fills import Blank, Blend, Compensate, Fill, Repeat
from vdm_jax.models.latent_level import LatentLevel
from vdm_jax.models.patched import Patched
from vdm_jax.models.projected_text import ProjectedText
from vdm_jax.models.super_resolution import EfficientLevel, Residual, SuperResolution
from vdm_jax.models.text import T5, ClipText, Gated, Plain, WordEncoder
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
    "Blend",
    "BottleneckBlock",
    "C3DOutputs",
    "ClipImage",
    "ClipText",
    "Compensate",
    "Conditioning",
    "ConvexFlow",
    "EfficientLevel",
    "Fill",
    "FlowUpdate",
    "FrameEncoder",
    "Gated",
    "Inception",
    "InceptionOutputs",
    "LatentLevel",
    "Level",
    "Lpips",
    "LpipsHeads",
    "Patched",
    "Plain",
    "ProjectedText",
    "Raft",
    "Repeat",
    "Residual",
    "SqueezeNet",
    "SuperResolution",
    "UNet",
    "VideoMAE",
    "WordEncoder",
]
