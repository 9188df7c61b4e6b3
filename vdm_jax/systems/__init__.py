"""Published systems, each a composition of the library's blocks on a page or two."""

from vdm_jax.systems import vdm

__all__ = ["vdm"]
