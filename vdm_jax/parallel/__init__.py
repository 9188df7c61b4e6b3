"""Device meshes, sharding rules, processes, and ahead-of-time compilation."""

from vdm_jax.parallel.chips import CHIPS, Chip
from vdm_jax.parallel.estimates import Estimate, estimate
from vdm_jax.parallel.executables import (
    ExecutableMismatch,
    Jit,
    check_executable,
    compile_lowered,
    compiler_options,
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
    ACTIVATION_RULES,
    ONE_VIDEO_RULES,
    MeshRules,
    Rules,
    bytes_per_device,
    parameter_spec,
    shardings,
    with_shardings,
)
from vdm_jax.parallel.topologies import Topology, Unavailable

__all__ = [
    "ACTIVATION_RULES",
    "CHIPS",
    "ONE_VIDEO_RULES",
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
    "bytes_per_device",
    "check_executable",
    "compile_lowered",
    "compiler_options",
    "count_flops",
    "estimate",
    "host_shard",
    "is_main_process",
    "parameter_spec",
    "reached_preemption",
    "read_executable",
    "shardings",
    "wait_for",
    "with_shardings",
    "write_executable",
]
