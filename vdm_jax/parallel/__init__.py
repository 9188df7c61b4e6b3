"""Meshes of devices, and what lives where on them."""

from vdm_jax.parallel.hosts import Agreement, Hosts, first, meet
from vdm_jax.parallel.mesh import Mesh, batch_sharding, video_sharding
from vdm_jax.parallel.rules import parameter_spec, shardings

__all__ = [
    "Agreement",
    "Hosts",
    "Mesh",
    "batch_sharding",
    "first",
    "meet",
    "parameter_spec",
    "shardings",
    "video_sharding",
]
