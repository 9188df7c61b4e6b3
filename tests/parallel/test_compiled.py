import ctypes
import sys

import jax
import jax.numpy as jnp
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
    parallel.compiled(lowered)  # what the first one of a process takes
    C.malloc.restype, C.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    pieces = [C.malloc(4096) for _ in range(25_600)]
    for piece in pieces:
        ctypes.memset(piece, 1, 4096)
    for piece in pieces[:-1]:
        C.free(piece)
    before = resident()
    double = parallel.compiled(lowered)
    assert resident() < before - 80
    assert double(jnp.ones(3)).tolist() == [2, 2, 2]
    C.free(pieces[-1])
