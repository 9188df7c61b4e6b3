"""Meshes of devices, and what lives where on them."""

from vdm_jax.parallel.hosts import Agreement, Hosts, Lost, first, meet, preempted, together
from vdm_jax.parallel.mesh import Mesh, batch_sharding, rows, share
from vdm_jax.parallel.rules import ACTIVATIONS, ONE_VIDEO, Places, Rules, parameter_spec, shardings

__all__ = [
    "ACTIVATIONS",
    "ONE_VIDEO",
    "Agreement",
    "Hosts",
    "Lost",
    "Mesh",
    "Places",
    "Rules",
    "batch_sharding",
    "first",
    "meet",
    "parameter_spec",
    "preempted",
    "rows",
    "shardings",
    "share",
    "together",
]
