import ctypes
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import parallel

C = ctypes.CDLL(None) if sys.platform == "linux" else None


def resident() -> float:
    """What this process holds of the machine's memory, MiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


@pytest.mark.skipif(not hasattr(C, "malloc_trim"), reason="of glibc")
def test_what_was_freed_is_given_back_when_a_program_is_compiled():
    """100 MiB in small pieces, freed: the allocator keeps them, since the last piece is in use."""
    lowered = jax.jit(lambda x: 2 * x).lower(jnp.ones(3))
    parallel.compile_lowered(lowered)  # what the first one of a process takes
    C.malloc.restype, C.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    pieces = [C.malloc(4096) for _ in range(25_600)]
    for piece in pieces:
        ctypes.memset(piece, 1, 4096)
    for piece in pieces[:-1]:
        C.free(piece)
    before = resident()
    double = parallel.compile_lowered(lowered)
    assert resident() < before - 80
    assert double(jnp.ones(3)).tolist() == [2, 2, 2]
    C.free(pieces[-1])


def test_convolutions_on_a_cpu_are_eigens():
    """Where XLA asks YNNPACK for them, a training step takes half as long again."""
    x, kernel = jnp.ones((2, 16, 16, 32)), jnp.ones((3, 3, 32, 32))

    def convolve(x, kernel):
        return jax.lax.conv(x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), (1, 1), "SAME")

    lowered = jax.jit(convolve).lower(x, kernel)
    theirs = lowered.compile(
        dict.fromkeys(parallel.options(), "LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION")
    )
    assert ("ynn" in (theirs.as_text() or "")) == bool(parallel.options())
    assert "ynn" not in (parallel.compile_lowered(lowered).as_text() or "")
    ours = parallel.Jit(convolve)(x, kernel)
    np.testing.assert_allclose(ours, theirs(x, kernel), rtol=1e-5)
