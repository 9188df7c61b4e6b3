"""Sampling: trained models to videos, and videos to files."""

from vdm_jax.sampling.cascade import Cascade, CascadeModel, Stage
from vdm_jax.sampling.distilled import Distilled, TrainedStudentModel
from vdm_jax.sampling.encoders import TextEncoder, prompts, write_encoder
from vdm_jax.sampling.gallery import Entry, write_gallery
from vdm_jax.sampling.generate import GUIDANCE, Generator, TrainedModel, abstract_params, load
from vdm_jax.sampling.rollout import Canvas, LowResFrames, rollout
from vdm_jax.sampling.rollout_plans import RolloutPlan, extension, hierarchical, interpolation
from vdm_jax.sampling.tiles import Tiles
from vdm_jax.sampling.video import write, write_gif, write_mp4, write_png_grid

__all__ = [
    "GUIDANCE",
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
    "abstract_params",
    "extension",
    "hierarchical",
    "interpolation",
    "load",
    "prompts",
    "rollout",
    "write",
    "write_encoder",
    "write_gallery",
    "write_gif",
    "write_mp4",
    "write_png_grid",
]
