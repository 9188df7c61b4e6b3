"""Meshes of devices, and what lives where on them."""

from vdm_jax.parallel.mesh import Mesh, batch_sharding, video_sharding
from vdm_jax.parallel.rules import parameter_spec, shardings

__all__ = ["Mesh", "batch_sharding", "parameter_spec", "shardings", "video_sharding"]
