"""Replicated arrays: small ones are written by one device, large ones in slices by all."""

import jax
import numpy as np
import pytest

from vdm_jax.checkpoints import Checkpoints
from vdm_jax.checkpoints.store import MIN_SLICE_BYTES

COMPILATION = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compilations():
    """A list that collects compilation events."""
    events = []

    def listen(event, seconds, **_):
        if event == COMPILATION:
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize(("size", "compiles"), [(8, False), (2 * MIN_SLICE_BYTES, True)])
def test_small_arrays_are_saved_without_compilation(
    eight_devices, tmp_path, compilations, size, compiles
):
    mesh = jax.make_mesh((8,), ("data",))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    expected = np.arange(size, dtype=np.float32)
    array = jax.device_put(expected, whole)
    store = Checkpoints().open(tmp_path)
    del compilations[:]
    store.save(1, {"params": {"a": array}}, {})
    store.wait()
    assert bool(compilations) is compiles
    like = jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=whole)
    _, restored, _ = store.restore({"params": {"a": like}})
    store.close()
    np.testing.assert_array_equal(restored["params"]["a"], expected)
