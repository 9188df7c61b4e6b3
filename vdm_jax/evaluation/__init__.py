"""Evaluations of trained models: what they generate, how well they denoise, as named numbers."""

from vdm_jax.evaluation.bootstrap import Bootstrap
from vdm_jax.evaluation.clipsim import CaptionVectors, clip_frames, clipsim, r_precision
from vdm_jax.evaluation.completion import Extension, Interpolation, Prediction, Seam
from vdm_jax.evaluation.denoising import DenoisingError
from vdm_jax.evaluation.features import Features, PixelFeatures
from vdm_jax.evaluation.flows import Flow, RaftFlow, Still
from vdm_jax.evaluation.frechet import FrechetDistance, Moments, frechet_distance
from vdm_jax.evaluation.images import psnr, ssim
from vdm_jax.evaluation.inception_score import InceptionScore
from vdm_jax.evaluation.kernel import Polynomial
from vdm_jax.evaluation.lpips import LpipsOfPairs
from vdm_jax.evaluation.motion import MotionHistograms, motion_distance, motion_features
from vdm_jax.evaluation.networks import NetworkFeatures, Random
from vdm_jax.evaluation.oracle import Decision, MovingShapesOracle, centres, decide
from vdm_jax.evaluation.pretrained import Pretrained
from vdm_jax.evaluation.protocols import (
    Classes,
    ClipSimilarity,
    Every,
    Frechet,
    Generated,
    Inception,
    Jpeg,
    KernelDistance,
    Mean,
    Measured,
    Nothing,
    PairPSNR,
    PairSSIM,
    Part,
    Protocol,
    Real,
    RealCaptions,
    RealLabels,
    RPrecision,
    Sample,
    SampleAgain,
    SortedFirst,
    Spread,
    Square,
)
from vdm_jax.evaluation.ranges import Images, MinusVolume, Normalised, Quantised, Reversed, Scaled
from vdm_jax.evaluation.resizing import (
    AlignCorners,
    Antialiased,
    CentreCrop,
    HalfPixel,
    HalfPixelCubic,
    Legacy,
    Pillow,
    ShorterSide,
    Step,
)
from vdm_jax.evaluation.statistics import Chunk, Gathered, cached, fingerprint, gather
from vdm_jax.evaluation.students import FewSteps, GuidanceSweep, step_table
from vdm_jax.evaluation.subject import Completer, Evaluation, Subject
from vdm_jax.evaluation.super_resolution import Enlarger, SuperResolution
from vdm_jax.evaluation.warping import GuidedWarpingError, WarpingError, warping_error

__all__ = [
    "AlignCorners",
    "Antialiased",
    "Bootstrap",
    "CaptionVectors",
    "CentreCrop",
    "Chunk",
    "Classes",
    "ClipSimilarity",
    "Completer",
    "Decision",
    "DenoisingError",
    "Enlarger",
    "Evaluation",
    "Every",
    "Extension",
    "Features",
    "FewSteps",
    "Flow",
    "Frechet",
    "FrechetDistance",
    "Gathered",
    "Generated",
    "GuidanceSweep",
    "GuidedWarpingError",
    "HalfPixel",
    "HalfPixelCubic",
    "Images",
    "Inception",
    "InceptionScore",
    "Interpolation",
    "Jpeg",
    "KernelDistance",
    "Legacy",
    "LpipsOfPairs",
    "Mean",
    "Measured",
    "MinusVolume",
    "Moments",
    "MotionHistograms",
    "MovingShapesOracle",
    "NetworkFeatures",
    "Normalised",
    "Nothing",
    "PairPSNR",
    "PairSSIM",
    "Part",
    "Pillow",
    "PixelFeatures",
    "Polynomial",
    "Prediction",
    "Pretrained",
    "Protocol",
    "Quantised",
    "RPrecision",
    "RaftFlow",
    "Random",
    "Real",
    "RealCaptions",
    "RealLabels",
    "Reversed",
    "Sample",
    "SampleAgain",
    "Scaled",
    "Seam",
    "ShorterSide",
    "SortedFirst",
    "Spread",
    "Square",
    "Step",
    "Still",
    "Subject",
    "SuperResolution",
    "WarpingError",
    "cached",
    "centres",
    "clip_frames",
    "clipsim",
    "decide",
    "fingerprint",
    "frechet_distance",
    "gather",
    "motion_distance",
    "motion_features",
    "psnr",
    "r_precision",
    "ssim",
    "step_table",
    "warping_error",
]
