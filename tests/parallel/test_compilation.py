import ctypes
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import parallel

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def resident() -> float:
    """Resident memory of this process, MiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


@pytest.mark.skipif(not hasattr(LIBC, "malloc_trim"), reason="needs glibc")
def test_compiling_returns_freed_memory_to_the_system():
    """The allocator holds on to 100 MiB of freed small blocks, since the last block is in use."""
    lowered = jax.jit(lambda x: 2 * x).lower(jnp.ones(3))
    parallel.compile_lowered(lowered)  # allocations of the first compilation
    LIBC.malloc.restype, LIBC.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [LIBC.malloc(4096) for _ in range(25_600)]
    for block in blocks:
        ctypes.memset(block, 1, 4096)
    for block in blocks[:-1]:
        LIBC.free(block)
    before = resident()
    double = parallel.compile_lowered(lowered)
    assert resident() < before - 80
    assert double(jnp.ones(3)).tolist() == [2, 2, 2]
    LIBC.free(blocks[-1])


def test_eigen_computes_convolutions_on_cpus():
    """With YNNPACK a training step takes half as long again."""
    x, kernel = jnp.ones((2, 16, 16, 32)), jnp.ones((3, 3, 32, 32))

    def convolve(x, kernel):
        return jax.lax.conv(x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), (1, 1), "SAME")

    lowered = jax.jit(convolve).lower(x, kernel)
    with_ynnpack = lowered.compile(
        dict.fromkeys(parallel.compiler_options(), "LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION")
    )
    assert ("ynn" in (with_ynnpack.as_text() or "")) == bool(parallel.compiler_options())
    assert "ynn" not in (parallel.compile_lowered(lowered).as_text() or "")
    with_eigen = parallel.Jit(convolve)(x, kernel)
    np.testing.assert_allclose(with_eigen, with_ynnpack(x, kernel), rtol=1e-5)
