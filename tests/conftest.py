"""One CPU device, or eight; no implicit broadcasting between arrays of different rank."""

import os

import several

os.environ["XLA_FLAGS"] = " ".join(
    (os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=8", several.QUICK)
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["VDM_JAX_CACHE"] = ""  # no cache of compiled programs
# Waiting threads of numpy and torch spin on a core that the other worker needs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import dataclasses
import gc
from importlib.util import find_spec
from pathlib import Path
from typing import runtime_checkable

import jax
import jaxtyping
import pytest
from flax.linen.linear import PromoteDtypeFn
from jax.tree_util import GetAttrKey, register_dataclass, register_pytree_with_keys

jax.config.update("jax_numpy_rank_promotion", "raise")
gc.set_threshold(100_000, 20, 20)  # collecting the objects of traces takes a fifth of tracing


SHARED = Path(__file__).parents[2] / "shared" / "data"
EVERY = jax.devices()
jax.devices = jax.local_devices = lambda *_, **__: EVERY[:1]
os.environ["XLA_FLAGS"] = several.QUICK  # for the programs that tests start


def pytest_configure(config):
    """Prepares jax and flax for `--jaxtyping-packages=vdm_jax,beartype.beartype`.

    The option checks the types and shapes of all annotated functions. Pytrees that jax unflattens
    may hold shardings or shapes instead of arrays, so they are rebuilt without a check.
    """
    if not config.getoption("jaxtyping_packages", None):
        return
    runtime_checkable(PromoteDtypeFn)  # the type of a field of `nn.Conv`
    jax.tree_util.register_dataclass = register_unchecked


def register_unchecked(cls, *fields, **options):
    """`jax.tree_util.register_dataclass` without a type check when a tree is unflattened."""
    if not cls.__module__.startswith("vdm_jax."):
        return register_dataclass(cls, *fields, **options)
    names = [field.name for field in dataclasses.fields(cls)]

    def flatten(node):
        return [(GetAttrKey(name), getattr(node, name)) for name in names], None

    def unflatten(_, values):
        node = object.__new__(cls)
        node.__dict__.update(zip(names, values, strict=True))
        return node

    register_pytree_with_keys(cls, flatten, unflatten)
    return cls


def pytest_collection_modifyitems(items):
    """Starts the tests that take a minute first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def unchecked():
    """Turns type checks off, for tests of the errors that vdm_jax itself raises."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def eight_devices(monkeypatch):
    """All eight devices; partitioning makes compilation half as long again."""
    for name in ("devices", "local_devices"):
        monkeypatch.setattr(jax, name, lambda *_, **__: EVERY)


@pytest.fixture
def libtpu(monkeypatch):
    """The TPU compiler, without XLA flags for CPUs, at which it ends the process."""
    pytest.importorskip("libtpu", reason="libtpu is not installed: pip install libtpu")
    monkeypatch.delenv("XLA_FLAGS")


@pytest.fixture
def cuda():
    """The compiler for NVIDIA's GPUs, which needs no GPU."""
    from vdm_jax.parallel import Topology

    if not any(map(find_spec, Topology.parse("h100:8").compilers)):
        pytest.skip("JAX's packages for CUDA are not installed: pip install 'jax[cuda13]'")


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips beside the repository; skips the test where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real development clips are not at {SHARED}")
    return SHARED / "video"
