"""Metrics: arrays of clips, features or captions to numbers."""

from vdm_jax.metrics.bootstrap import Bootstrap
from vdm_jax.metrics.clipsim import (
    CaptionVectors,
    clip_directions,
    clip_frames,
    clipsim,
    r_precision,
)
from vdm_jax.metrics.features import Features, PixelFeatures
from vdm_jax.metrics.fingerprint import fingerprint
from vdm_jax.metrics.flows import Flow, RaftFlow, ZeroFlow
from vdm_jax.metrics.frechet import Moments, frechet_distance
from vdm_jax.metrics.images import psnr, ssim
from vdm_jax.metrics.inception_score import InceptionScore
from vdm_jax.metrics.kernel import PolynomialKernel
from vdm_jax.metrics.lpips import LpipsOfPairs
from vdm_jax.metrics.motion import MotionHistograms, motion_distance, motion_features
from vdm_jax.metrics.networks import NetworkFeatures, RandomWeights
from vdm_jax.metrics.normalization import (
    Images,
    Normalize,
    Quantize,
    Rescale,
    ReverseChannels,
    SubtractMeanClip,
)
from vdm_jax.metrics.pairs import PairPSNR, PairSSIM
from vdm_jax.metrics.pretrained import Pretrained
from vdm_jax.metrics.resizing import (
    AlignCorners,
    Antialiased,
    CenterCrop,
    HalfPixel,
    HalfPixelCubic,
    Legacy,
    Pillow,
    PixelStep,
    ShorterSide,
)
from vdm_jax.metrics.statistics import Chunk, StoredFeatures, cached_features, compute_features
from vdm_jax.metrics.warping import GuidedWarpingError, WarpingError, warping_error

__all__ = [
    "AlignCorners",
    "Antialiased",
    "Bootstrap",
    "CaptionVectors",
    "CenterCrop",
    "Chunk",
    "Features",
    "Flow",
    "GuidedWarpingError",
    "HalfPixel",
    "HalfPixelCubic",
    "Images",
    "InceptionScore",
    "Legacy",
    "LpipsOfPairs",
    "Moments",
    "MotionHistograms",
    "NetworkFeatures",
    "Normalize",
    "PairPSNR",
    "PairSSIM",
    "Pillow",
    "PixelFeatures",
    "PixelStep",
    "PolynomialKernel",
    "Pretrained",
    "Quantize",
    "RaftFlow",
    "RandomWeights",
    "Rescale",
    "ReverseChannels",
    "ShorterSide",
    "StoredFeatures",
    "SubtractMeanClip",
    "WarpingError",
    "ZeroFlow",
    "cached_features",
    "clip_directions",
    "clip_frames",
    "clipsim",
    "compute_features",
    "fingerprint",
    "frechet_distance",
    "motion_distance",
    "motion_features",
    "psnr",
    "r_precision",
    "ssim",
    "warping_error",
]
