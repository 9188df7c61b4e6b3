"""Evaluations of trained models: what they generate, how well they denoise, as named numbers."""

from vdm_jax.evaluation.completion import Extension, Interpolation, Prediction, Seam
from vdm_jax.evaluation.denoising import DenoisingError
from vdm_jax.evaluation.features import Features, PixelFeatures
from vdm_jax.evaluation.frechet import FrechetDistance, Moments, frechet_distance
from vdm_jax.evaluation.images import psnr, ssim
from vdm_jax.evaluation.networks import NetworkFeatures, Random
from vdm_jax.evaluation.oracle import Decision, MovingShapesOracle, centres, decide
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
from vdm_jax.evaluation.statistics import Chunk, Gathered, cached, differences, fingerprint, gather
from vdm_jax.evaluation.students import FewSteps, GuidanceSweep, step_table
from vdm_jax.evaluation.subject import Completer, Evaluation, Subject
from vdm_jax.evaluation.super_resolution import Enlarger, SuperResolution

__all__ = [
    "AlignCorners",
    "Antialiased",
    "CentreCrop",
    "Chunk",
    "Completer",
    "Decision",
    "DenoisingError",
    "Enlarger",
    "Evaluation",
    "Extension",
    "Features",
    "FewSteps",
    "FrechetDistance",
    "Gathered",
    "GuidanceSweep",
    "HalfPixel",
    "HalfPixelCubic",
    "Images",
    "Interpolation",
    "Legacy",
    "MinusVolume",
    "Moments",
    "MovingShapesOracle",
    "NetworkFeatures",
    "Normalised",
    "Pillow",
    "PixelFeatures",
    "Prediction",
    "Quantised",
    "Random",
    "Reversed",
    "Scaled",
    "Seam",
    "ShorterSide",
    "Step",
    "Subject",
    "SuperResolution",
    "cached",
    "centres",
    "decide",
    "differences",
    "fingerprint",
    "frechet_distance",
    "gather",
    "psnr",
    "ssim",
    "step_table",
]
