"""Networks of metrics: frames, clips or pairs of frames to features, distances and flow."""

from vdm_jax.models.features.c3d import C3D, C3DOutputs
from vdm_jax.models.features.clip_image import ClipImage
from vdm_jax.models.features.i3d import I3D
from vdm_jax.models.features.inception import Inception, InceptionOutputs
from vdm_jax.models.features.lpips import Lpips, LpipsHeads
from vdm_jax.models.features.raft import BilinearFlow, ConvexFlow, FlowUpdate, Raft
from vdm_jax.models.features.raft_encoders import BasicBlock, BottleneckBlock, FrameEncoder
from vdm_jax.models.features.trunks import VGG16, AlexNet, SqueezeNet
from vdm_jax.models.features.video_mae import VideoMAE

__all__ = [
    "C3D",
    "I3D",
    "VGG16",
    "AlexNet",
    "BasicBlock",
    "BilinearFlow",
    "BottleneckBlock",
    "C3DOutputs",
    "ClipImage",
    "ConvexFlow",
    "FlowUpdate",
    "FrameEncoder",
    "Inception",
    "InceptionOutputs",
    "Lpips",
    "LpipsHeads",
    "Raft",
    "SqueezeNet",
    "VideoMAE",
]
