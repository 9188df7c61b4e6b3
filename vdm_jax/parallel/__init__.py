"""Meshes of devices, and what lives where on them."""

from vdm_jax.parallel.chips import CHIPS, Chip
from vdm_jax.parallel.estimates import Estimate, estimate
from vdm_jax.parallel.executables import (
    ExecutableMismatch,
    Jit,
    check_executable,
    compile_lowered,
    options,
    read_executable,
    write_executable,
)
from vdm_jax.parallel.flops import FlopCount, count_flops
from vdm_jax.parallel.mesh import Mesh, batch_sharding, batch_shards, host_shard
from vdm_jax.parallel.processes import (
    Processes,
    ReducedSignal,
    barrier,
    is_main_process,
    reached_preemption,
    wait_for,
)
from vdm_jax.parallel.rules import (
    ACTIVATIONS,
    ONE_VIDEO,
    MeshRules,
    Rules,
    parameter_spec,
    shardings,
    with_shardings,
)
from vdm_jax.parallel.topologies import Topology, Unavailable

__all__ = [
    "ACTIVATIONS",
    "CHIPS",
    "ONE_VIDEO",
    "Chip",
    "Estimate",
    "ExecutableMismatch",
    "FlopCount",
    "Jit",
    "Mesh",
    "MeshRules",
    "Processes",
    "ReducedSignal",
    "Rules",
    "Topology",
    "Unavailable",
    "barrier",
    "batch_sharding",
    "batch_shards",
    "check_executable",
    "compile_lowered",
    "count_flops",
    "estimate",
    "host_shard",
    "is_main_process",
    "options",
    "parameter_spec",
    "reached_preemption",
    "read_executable",
    "shardings",
    "wait_for",
    "with_shardings",
    "write_executable",
]
