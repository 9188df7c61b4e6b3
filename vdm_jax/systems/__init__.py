"""Published systems, each a composition of the library's blocks on a page or two."""

from vdm_jax.systems import imagen_video, stable_diffusion, tiny_imagen_video, vdm

__all__ = [
    "imagen_video",
    "stable_diffusion",
    "tiny_imagen_video",
    "vdm",
]
