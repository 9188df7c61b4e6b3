"""Sampling: trained models to videos, and videos to files."""

from vdm_jax.sampling.abstract import abstract_batch, abstract_model
from vdm_jax.sampling.cascade import Cascade, CascadeModel, Stage, lowres_of
from vdm_jax.sampling.distilled import Distilled, TrainedStudentModel
from vdm_jax.sampling.encoders import TextEncoder, encode_prompts, write_encoder
from vdm_jax.sampling.gallery import Entry, write_gallery
from vdm_jax.sampling.generator import Generator
from vdm_jax.sampling.rollout import Canvas, LowResFrames, rollout
from vdm_jax.sampling.rollout_plans import RolloutPlan, extension, hierarchical, interpolation
from vdm_jax.sampling.sample_folder import write_samples
from vdm_jax.sampling.tiles import Tiles
from vdm_jax.sampling.trained_model import DEFAULT_CORRECTION, TrainedModel, abstract_params, load
from vdm_jax.sampling.video import write, write_gif, write_mp4, write_png_grid

__all__ = [
    "DEFAULT_CORRECTION",
    "Canvas",
    "Cascade",
    "CascadeModel",
    "Distilled",
    "Entry",
    "Generator",
    "LowResFrames",
    "RolloutPlan",
    "Stage",
    "TextEncoder",
    "Tiles",
    "TrainedModel",
    "TrainedStudentModel",
    "abstract_batch",
    "abstract_model",
    "abstract_params",
    "encode_prompts",
    "extension",
    "hierarchical",
    "interpolation",
    "load",
    "lowres_of",
    "rollout",
    "write",
    "write_encoder",
    "write_gallery",
    "write_gif",
    "write_mp4",
    "write_png_grid",
    "write_samples",
]
