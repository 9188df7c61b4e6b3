"""Published systems, each composed of the library's blocks in a page or two."""

from vdm_jax.systems import imagen_video, stable_diffusion, tiny_imagen_video, vdm

__all__ = [
    "imagen_video",
    "stable_diffusion",
    "tiny_imagen_video",
    "vdm",
]
