"""What a program will need and take on chips that are not there: compiled estimates.

Nothing of it is measured. The compiler of the chips says how many bytes each device needs, what is
sent, and how many cycles it expects of each of its kernels; a product of matrices of 8192x8192
comes to 92, 88, 90, 70 and 80 % of the peak of v4, v5e, v5p, v6e and tpu7x. The rest is arithmetic:

  compute   cycles / clock, or, where the compiler counts none, the slower of
            operations / peak and bytes / bandwidth
  network   bytes sent along each axis / (link x directions of the grid that the axis goes along)
  step      the longer of the two, for sending hides behind computing as far as it can
  mfu       operations that the mathematics needs / (step x devices x peak)
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
    """One program on one mesh. Bytes and seconds are those of one device; operations of all.

    hbm_bytes: needed; hbm_spare_bytes: left of the memory, negative where it does not fit. Of a
    program that does not fit, only these two and the operations are known. compiled is the
    executable, for whoever wants to store it.
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
    def operations(self) -> FlopCount:
        """Those of the program as it is written."""
        return FlopCount(self.flops + self.repeated_flops, self.repeated_flops)

    def record(self) -> dict[str, Any]:
        """The numbers by name, for JSON."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "compiled"]
        return {name: getattr(self, name) for name in names}


def estimate(jitted: Any, arguments: tuple, mesh: jax.sharding.Mesh, chip: Chip) -> Estimate:
    """Compiles a jitted function for the devices of a mesh. arguments: shapes with shardings."""
    began = time.monotonic()
    traced = jitted.trace(*arguments)
    counted = count_flops(traced.jaxpr)
    lowered = traced.lower()
    traced_at, cpu = time.monotonic(), time.process_time()
    try:
        with _unkept():
            compiled = lowered.compile(_options(mesh))
    except jax.errors.JaxRuntimeError as error:
        needed, limit = overflow(str(error), chip)
        found = Estimate(
            False, needed, limit, limit - needed, counted.needed, counted.rematerialized
        )
    else:
        found = _of(compiled, counted, mesh, chip)
    return dataclasses.replace(
        found,
        trace_seconds=traced_at - began,
        compile_seconds=time.monotonic() - traced_at,
        compile_cpu_seconds=time.process_time() - cpu,
    )


def _options(mesh: jax.sharding.Mesh) -> dict[str, Any] | None:
    """What the compiler is told besides: of GPUs that are not here no kernel can be tried out."""
    device = mesh.devices.flat[0]
    return gpus.UNTRIED if device.platform == "gpu" and device not in jax.devices() else None


@contextlib.contextmanager
def _unkept() -> Iterator[None]:
    """Leaves JAX's cache of compiled programs alone: it cannot read programs of other devices."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, math.inf)
    try:
        yield
    finally:
        jax.config.update(name, before)


def overflow(message: str, chip: Chip) -> tuple[float, float]:
    """(bytes needed, bytes there are) of the compiler's refusal.

    Raises:
      RuntimeError: it refuses for another reason.
    """
    found = _OVERFLOW.search(message)
    if found is None:
        raise RuntimeError(f"the compiler for {chip.kind} failed: {message[:2000]}")
    needed, a, limit, b = found.groups()
    return float(needed) * _UNITS[a], float(limit) * _UNITS[b]


def _of(compiled: Any, counted: FlopCount, mesh: jax.sharding.Mesh, chip: Chip) -> Estimate:
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
        for axes, size in program.sent.items()
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
        flops=counted.needed,
        repeated_flops=counted.rematerialized,
        argument_bytes=memory.argument_size_in_bytes,
        temporary_bytes=memory.temp_size_in_bytes,
        output_bytes=memory.output_size_in_bytes,
        aliased_bytes=memory.alias_size_in_bytes,
        code_bytes=memory.generated_code_size_in_bytes,
        compiler_flops=float(cost.get("flops", 0.0)),
        bytes_accessed=accessed,
        collective_bytes=dict(program.sent),
        unknown_loops=program.loops,
        compiler_seconds=cycles,
        roofline_seconds=roofline,
        network_seconds=network,
        step_seconds=step,
        mfu=counted.needed / peak,
        hardware_utilisation=counted.total / peak,
        compiled=compiled,
    )
