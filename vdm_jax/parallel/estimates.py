"""Memory, time and MFU of a program on chips that are not present: compiled estimates.

None of the numbers is measured. The chip's compiler reports the bytes each device needs, the bytes
sent, and the cycles it expects of each kernel; an 8192x8192 matrix product comes to 92, 88, 90, 70
and 80 % of the peak of v4, v5e, v5p, v6e and tpu7x. The rest is arithmetic:

  compute   cycles / clock; where the compiler counts none, the maximum of
            FLOPs / peak and bytes / bandwidth
  network   bytes sent along each mesh axis / (link x grid directions that the axis spans)
  step      the maximum of the two: communication overlaps with computation
  mfu       FLOPs without rematerialization / (step x devices x peak)
"""

import contextlib
import dataclasses
import math
import re
import time
from collections.abc import Iterator
from typing import Any

import jax

from vdm_jax.parallel import gpus, hlo
from vdm_jax.parallel.chips import Chip
from vdm_jax.parallel.flops import FlopCount, count_flops
from vdm_jax.parallel.topologies import spans

_OVERFLOW = re.compile(
    r"(?:Used |required for HLO temporaries \()([\d.]+)([KMGT]?)\)?"
    r"(?: of | exceeds available HBM \()([\d.]+)([KMGT]?)"
)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One program on one mesh. Bytes and seconds are per device, FLOPs over all devices.

    A program that does not fit has only the first six fields and the last three times; the others
    are None.

    fits: whether the memory suffices.
    hbm_bytes: memory needed.
    hbm_limit_bytes: memory of the device.
    hbm_spare_bytes: the difference, negative where the program does not fit.
    flops: without what `remat` recomputes.
    repeated_flops: what `remat` recomputes.
    argument_bytes, temporary_bytes, output_bytes, aliased_bytes, code_bytes: the terms of
      hbm_bytes; aliased outputs reuse the memory of arguments.
    compiler_flops: XLA's own count, loop bodies once.
    bytes_accessed: to and from HBM.
    collective_bytes: bytes sent, by mesh axes.
    unknown_loops: loops with an unknown trip count, which count as one trip.
    compiler_seconds: compute by the compiler's cycles; None where it counts none.
    roofline_seconds: compute by FLOPs / peak and bytes / bandwidth.
    network_seconds: communication.
    step_seconds: the maximum of compute and communication.
    mfu: model FLOPs utilization.
    hardware_utilisation: the same with recomputed FLOPs.
    trace_seconds, compile_seconds, compile_cpu_seconds: of making this estimate.
    compiled: the executable.
    """

    fits: bool
    hbm_bytes: float
    hbm_limit_bytes: float
    hbm_spare_bytes: float
    flops: float
    repeated_flops: float
    argument_bytes: float | None = None
    temporary_bytes: float | None = None
    output_bytes: float | None = None
    aliased_bytes: float | None = None
    code_bytes: float | None = None
    compiler_flops: float | None = None
    bytes_accessed: float | None = None
    collective_bytes: dict[str, float] | None = None
    unknown_loops: int | None = None
    compiler_seconds: float | None = None
    roofline_seconds: float | None = None
    network_seconds: float | None = None
    step_seconds: float | None = None
    mfu: float | None = None
    hardware_utilisation: float | None = None
    trace_seconds: float = 0.0
    compile_seconds: float = 0.0
    compile_cpu_seconds: float = 0.0
    compiled: Any = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def flop_count(self) -> FlopCount:
        """The FLOPs of the jaxpr."""
        return FlopCount(self.flops + self.repeated_flops, self.repeated_flops)

    def record(self) -> dict[str, Any]:
        """All fields but `compiled`, for JSON."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "compiled"]
        return {name: getattr(self, name) for name in names}


def estimate(jitted: Any, arguments: tuple, mesh: jax.sharding.Mesh, chip: Chip) -> Estimate:
    """Compiles a jitted function for the devices of a mesh.

    arguments: shapes with shardings.
    """
    start = time.monotonic()
    traced = jitted.trace(*arguments)
    counted = count_flops(traced.jaxpr)
    lowered = traced.lower()
    trace_end, cpu = time.monotonic(), time.process_time()
    try:
        with _without_cache():
            compiled = lowered.compile(_compiler_options(mesh))
    except jax.errors.JaxRuntimeError as error:
        needed, limit = parse_overflow(str(error), chip)
        result = Estimate(
            False, needed, limit, limit - needed, counted.without_remat, counted.rematerialized
        )
    else:
        result = _analyze(compiled, counted, mesh, chip)
    return dataclasses.replace(
        result,
        trace_seconds=trace_end - start,
        compile_seconds=time.monotonic() - trace_end,
        compile_cpu_seconds=time.process_time() - cpu,
    )


def _compiler_options(mesh: jax.sharding.Mesh) -> dict[str, Any] | None:
    """Options of the compiler: no autotuning for GPUs that are not present."""
    device = mesh.devices.flat[0]
    return gpus.NO_AUTOTUNING if device.platform == "gpu" and device not in jax.devices() else None


@contextlib.contextmanager
def _without_cache() -> Iterator[None]:
    """Disables JAX's compilation cache, which cannot load programs of devices not present."""
    name = "jax_persistent_cache_min_compile_time_secs"
    previous = getattr(jax.config, name)
    jax.config.update(name, math.inf)
    try:
        yield
    finally:
        jax.config.update(name, previous)


def parse_overflow(message: str, chip: Chip) -> tuple[float, float]:
    """(bytes needed, bytes available) from the compiler's out-of-memory message.

    Raises:
      RuntimeError: the message is about another failure.
    """
    match = _OVERFLOW.search(message)
    if match is None:
        raise RuntimeError(f"the compiler for {chip.kind} failed: {message[:2000]}")
    needed, a, limit, b = match.groups()
    return float(needed) * _UNITS[a], float(limit) * _UNITS[b]


def _analyze(compiled: Any, counted: FlopCount, mesh: jax.sharding.Mesh, chip: Chip) -> Estimate:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    program = hlo.summarize(compiled.as_text(), dict(mesh.shape))
    needed = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.generated_code_size_in_bytes
    )
    accessed = float(cost.get("bytes accessed", 0.0))
    network = sum(
        size / (chip.link * spans(mesh, tuple(axes.split("+"))))
        for axes, size in program.collective_bytes.items()
    )
    roofline = max(counted.total / mesh.size / chip.flops, accessed / chip.bandwidth)
    cycles = program.cycles / chip.clock if program.cycles and chip.clock else None
    step = max(cycles or roofline, network)
    peak = step * mesh.size * chip.flops
    return Estimate(
        fits=needed <= chip.memory,
        hbm_bytes=needed,
        hbm_limit_bytes=chip.memory,
        hbm_spare_bytes=chip.memory - needed,
        flops=counted.without_remat,
        repeated_flops=counted.rematerialized,
        argument_bytes=memory.argument_size_in_bytes,
        temporary_bytes=memory.temp_size_in_bytes,
        output_bytes=memory.output_size_in_bytes,
        aliased_bytes=memory.alias_size_in_bytes,
        code_bytes=memory.generated_code_size_in_bytes,
        compiler_flops=float(cost.get("flops", 0.0)),
        bytes_accessed=accessed,
        collective_bytes=dict(program.collective_bytes),
        unknown_loops=program.unknown_loops,
        compiler_seconds=cycles,
        roofline_seconds=roofline,
        network_seconds=network,
        step_seconds=step,
        mfu=counted.without_remat / peak,
        hardware_utilisation=counted.total / peak,
        compiled=compiled,
    )
