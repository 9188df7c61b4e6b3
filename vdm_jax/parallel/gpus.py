"""What XLA's compiler for GPUs is told of one that is not there."""

import dataclasses
import textwrap

from vdm_jax.parallel.chips import CHIPS

UNTRIED = {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False}
"""Options of XLA where no kernel can be tried out: the first that serves is taken."""


@dataclasses.dataclass(frozen=True)
class Processors:
    """The multiprocessors of a GPU, by NVIDIA's data sheets and CUDA's programming guide.

    capability: that of CUDA. count: how many. lanes: float32 operations of one at a time. shared
    and block: bytes of shared memory of one, and of them what a block can ask for. cache: bytes of
    the L2 that all share. clock: 1e9 cycles a second.
    """

    capability: tuple[int, int]
    count: int
    lanes: int
    shared: int
    block: int
    cache: int
    clock: float


_HOPPER = Processors((9, 0), 132, 128, 228 * 1024, 227 * 1024, 50 * 2**20, 1.98)
_AMPERE = Processors((8, 0), 108, 64, 164 * 1024, 163 * 1024, 40 * 2**20, 1.41)
PROCESSORS = {"a100": _AMPERE, "h100": _HOPPER, "h200": _HOPPER}


def target(name: str) -> str:
    """The GPU of a name of `CHIPS`, as text of XLA's GpuTargetConfigProto."""
    chip, of = CHIPS[name], PROCESSORS[name]
    major, minor = of.capability
    return textwrap.dedent(f"""\
        gpu_device_info {{
          cuda_compute_capability {{ major: {major} minor: {minor} }}
          core_count: {of.count}
          fpus_per_core: {of.lanes}
          clock_rate_ghz: {of.clock}
          threads_per_warp: 32
          threads_per_core_limit: 2048
          threads_per_block_limit: 1024
          block_dim_limit_x: {2**31 - 1}
          block_dim_limit_y: {2**16 - 1}
          block_dim_limit_z: {2**16 - 1}
          registers_per_core_limit: {2**16}
          registers_per_block_limit: {2**16}
          shared_memory_per_core: {of.shared}
          shared_memory_per_block: {48 * 1024}
          shared_memory_per_block_optin: {of.block}
          l2_cache_size: {of.cache}
          device_memory_size: {chip.memory}
          memory_bandwidth: {chip.bandwidth:.0f}
        }}
        platform_name: "CUDA"
        runtime_version {{ major: 12 minor: 8 }}
        dnn_version_info {{ major: 9 minor: 8 }}
        device_description_str: "{chip.kind}"
        """)
