"""Descriptions of GPUs for XLA's compiler, which then needs no GPU."""

import dataclasses
import textwrap

from vdm_jax.parallel.chips import CHIPS

NO_AUTOTUNING = {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False}
"""XLA options where no kernel can be timed: XLA takes the first that works."""


@dataclasses.dataclass(frozen=True)
class Multiprocessors:
    """The multiprocessors of a GPU, from NVIDIA's data sheets and the CUDA programming guide.

    capability: CUDA compute capability.
    count: the number of multiprocessors.
    lanes: float32 units of one.
    shared: shared memory of one, bytes.
    block: shared memory that one block may request, bytes.
    cache: L2 cache of the GPU, bytes.
    clock: GHz.
    """

    capability: tuple[int, int]
    count: int
    lanes: int
    shared: int
    block: int
    cache: int
    clock: float


_HOPPER = Multiprocessors((9, 0), 132, 128, 228 * 1024, 227 * 1024, 50 * 2**20, 1.98)
_AMPERE = Multiprocessors((8, 0), 108, 64, 164 * 1024, 163 * 1024, 40 * 2**20, 1.41)
MULTIPROCESSORS = {"a100": _AMPERE, "h100": _HOPPER, "h200": _HOPPER}


def target_config(name: str) -> str:
    """XLA's GpuTargetConfigProto, as text, of the GPU with this name in `CHIPS`."""
    chip, processors = CHIPS[name], MULTIPROCESSORS[name]
    major, minor = processors.capability
    return textwrap.dedent(f"""\
        gpu_device_info {{
          cuda_compute_capability {{ major: {major} minor: {minor} }}
          core_count: {processors.count}
          fpus_per_core: {processors.lanes}
          clock_rate_ghz: {processors.clock}
          threads_per_warp: 32
          threads_per_core_limit: 2048
          threads_per_block_limit: 1024
          block_dim_limit_x: {2**31 - 1}
          block_dim_limit_y: {2**16 - 1}
          block_dim_limit_z: {2**16 - 1}
          registers_per_core_limit: {2**16}
          registers_per_block_limit: {2**16}
          shared_memory_per_core: {processors.shared}
          shared_memory_per_block: {48 * 1024}
          shared_memory_per_block_optin: {processors.block}
          l2_cache_size: {processors.cache}
          device_memory_size: {chip.memory}
          memory_bandwidth: {chip.bandwidth:.0f}
        }}
        platform_name: "CUDA"
        runtime_version {{ major: 12 minor: 8 }}
        dnn_version_info {{ major: 9 minor: 8 }}
        device_description_str: "{chip.kind}"
        """)
