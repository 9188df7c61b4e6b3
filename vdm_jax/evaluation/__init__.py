"""Evaluations: a trained model to numbers, during training or after it."""

from vdm_jax.evaluation.completion import Extension, Interpolation, Prediction, Seam
from vdm_jax.evaluation.denoising import DenoisingError
from vdm_jax.evaluation.elements import encode, evenly_spaced, up_to
from vdm_jax.evaluation.few_steps import FewSteps, GuidanceSweep, step_table
from vdm_jax.evaluation.frechet_distance import FrechetDistance
from vdm_jax.evaluation.oracle import Decision, MovingShapesOracle, centers, decide
from vdm_jax.evaluation.super_resolution import SuperResolution

__all__ = [
    "Decision",
    "DenoisingError",
    "Extension",
    "FewSteps",
    "FrechetDistance",
    "GuidanceSweep",
    "Interpolation",
    "MovingShapesOracle",
    "Prediction",
    "Seam",
    "SuperResolution",
    "centers",
    "decide",
    "encode",
    "evenly_spaced",
    "step_table",
    "up_to",
]
