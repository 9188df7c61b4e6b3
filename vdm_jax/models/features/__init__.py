"""Networks that metrics look through: frames, clips or pairs of frames to vectors and fields."""

from vdm_jax.models.features.clip_image import ClipImage
from vdm_jax.models.features.lpips import Lpips, LpipsHeads
from vdm_jax.models.features.raft import BilinearFlow, ConvexFlow, FlowUpdate, Raft
from vdm_jax.models.features.raft_encoders import BasicBlock, BottleneckBlock, FrameEncoder
from vdm_jax.models.features.trunks import VGG16, AlexNet, SqueezeNet
from vdm_jax.models.features.video_mae import VideoMAE

__all__ = [
    "VGG16",
    "AlexNet",
    "BasicBlock",
    "BilinearFlow",
    "BottleneckBlock",
    "ClipImage",
    "ConvexFlow",
    "FlowUpdate",
    "FrameEncoder",
    "Lpips",
    "LpipsHeads",
    "Raft",
    "SqueezeNet",
    "VideoMAE",
]
