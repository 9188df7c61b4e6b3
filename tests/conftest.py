"""One CPU device, or eight; no silent broadcasting between arrays of different rank."""

import os

import several

os.environ["XLA_FLAGS"] = " ".join(
    (os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=8", several.QUICK)
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["VDM_JAX_CACHE"] = ""  # every test compiles what it runs
# Threads of numpy and torch that wait spin, on a core that another worker has use for.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
from importlib.util import find_spec
from pathlib import Path

import jax
import pytest

from vdm_jax.parallel import Topology

jax.config.update("jax_numpy_rank_promotion", "raise")
gc.set_threshold(100_000, 20, 20)  # what tracing makes stays: looking through it is a fifth of it

SHARED = Path(__file__).parents[2] / "shared" / "data"
EVERY = jax.devices()
jax.devices = jax.local_devices = lambda *_, **__: EVERY[:1]
os.environ["XLA_FLAGS"] = several.QUICK  # for the programs that tests start


def pytest_collection_modifyitems(items):
    """Those that take a minute first, or one worker would be at one when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def eight_devices(monkeypatch):
    """All devices, for tests of what several do: to split a program takes half as long again."""
    for name in ("devices", "local_devices"):
        monkeypatch.setattr(jax, name, lambda *_, **__: EVERY)


@pytest.fixture
def libtpu(monkeypatch):
    """The compiler for TPUs, which ends the process at flags that only the CPU's knows."""
    pytest.importorskip("libtpu", reason="libtpu is not installed: pip install libtpu")
    monkeypatch.delenv("XLA_FLAGS")


@pytest.fixture
def cuda():
    """The compiler for NVIDIA's GPUs, which needs none of them."""
    if not any(map(find_spec, Topology.parse("h100:8").compilers)):
        pytest.skip("JAX's packages for CUDA are not installed: pip install 'jax[cuda13]'")


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real development clips, which is no part of this repository."""
    if not SHARED.is_dir():
        pytest.skip(f"real development clips are not at {SHARED}")
    return SHARED / "video"
