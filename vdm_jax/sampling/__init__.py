"""Sampling: trained models to videos, and videos to files."""

from vdm_jax.sampling.gallery import Entry, write_gallery
from vdm_jax.sampling.generate import Generator, Trained, load
from vdm_jax.sampling.video import write, write_gif, write_mp4, write_png_grid

__all__ = [
    "Entry",
    "Generator",
    "Trained",
    "load",
    "write",
    "write_gallery",
    "write_gif",
    "write_mp4",
    "write_png_grid",
]
