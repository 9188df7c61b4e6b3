"""Meshes of devices, and what lives where on them."""

from vdm_jax.parallel.chips import CHIPS, Chip
from vdm_jax.parallel.executables import (
    Misfit,
    Program,
    check_executable,
    compiled,
    options,
    read_executable,
    write_executable,
)
from vdm_jax.parallel.hosts import Agreement, Hosts, first, follow, meet, preempted
from vdm_jax.parallel.mesh import Mesh, batch_sharding, rows, share
from vdm_jax.parallel.operations import Operations, operations
from vdm_jax.parallel.plans import Estimate, estimate
from vdm_jax.parallel.rules import (
    ACTIVATIONS,
    ONE_VIDEO,
    Places,
    Rules,
    at,
    parameter_spec,
    shardings,
)
from vdm_jax.parallel.topologies import Topology, Unavailable

__all__ = [
    "ACTIVATIONS",
    "CHIPS",
    "ONE_VIDEO",
    "Agreement",
    "Chip",
    "Estimate",
    "Hosts",
    "Mesh",
    "Misfit",
    "Operations",
    "Places",
    "Program",
    "Rules",
    "Topology",
    "Unavailable",
    "at",
    "batch_sharding",
    "check_executable",
    "compiled",
    "estimate",
    "first",
    "follow",
    "meet",
    "operations",
    "options",
    "parameter_spec",
    "preempted",
    "read_executable",
    "rows",
    "shardings",
    "share",
    "write_executable",
]
