"""Sampling: trained models to videos, and videos to files."""

from vdm_jax.sampling.cascade import Cascade, Stage, Subject
from vdm_jax.sampling.distilled import Distilled, TrainedStudent
from vdm_jax.sampling.encoders import TextEncoder, prompts, write_encoder
from vdm_jax.sampling.gallery import Entry, write_gallery
from vdm_jax.sampling.generate import GUIDANCE, Generator, Trained, blueprint, load
from vdm_jax.sampling.plans import Plan, extension, hierarchical, interpolation
from vdm_jax.sampling.rollout import Canvas, Small, roll
from vdm_jax.sampling.tiles import Tiles
from vdm_jax.sampling.video import write, write_gif, write_mp4, write_png_grid

__all__ = [
    "GUIDANCE",
    "Canvas",
    "Cascade",
    "Distilled",
    "Entry",
    "Generator",
    "Plan",
    "Small",
    "Stage",
    "Subject",
    "TextEncoder",
    "Tiles",
    "Trained",
    "TrainedStudent",
    "blueprint",
    "extension",
    "hierarchical",
    "interpolation",
    "load",
    "prompts",
    "roll",
    "write",
    "write_encoder",
    "write_gallery",
    "write_gif",
    "write_mp4",
    "write_png_grid",
]
