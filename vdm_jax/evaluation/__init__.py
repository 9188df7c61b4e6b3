"""Evaluations of trained models: what they generate, how well they denoise, as named numbers."""

from vdm_jax.evaluation.denoising import DenoisingError
from vdm_jax.evaluation.features import Features, PixelFeatures
from vdm_jax.evaluation.frechet import FrechetDistance, Moments, frechet_distance
from vdm_jax.evaluation.images import psnr, ssim
from vdm_jax.evaluation.oracle import Decision, MovingShapesOracle, decide
from vdm_jax.evaluation.subject import Evaluation, Subject

__all__ = [
    "Decision",
    "DenoisingError",
    "Evaluation",
    "Features",
    "FrechetDistance",
    "Moments",
    "MovingShapesOracle",
    "PixelFeatures",
    "Subject",
    "decide",
    "frechet_distance",
    "psnr",
    "ssim",
]
