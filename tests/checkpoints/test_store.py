"""Arrays that several devices have: small ones are written whole, large ones in parts by all."""

import jax
import numpy as np
import pytest

from vdm_jax.checkpoints import Checkpoints
from vdm_jax.checkpoints.store import PART

COMPILATION = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compiled():
    """The programs that were compiled since."""
    events = []

    def hear(event, seconds, **_):
        if event == COMPILATION:
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(hear)
    yield events
    jax.monitoring.unregister_event_duration_listener(hear)


@pytest.mark.parametrize(("rows", "programs"), [(8, False), (2 * PART, True)])
def test_what_small_arrays_are_cut_by_is_not_compiled(
    eight_devices, tmp_path, compiled, rows, programs
):
    mesh = jax.make_mesh((8,), ("data",))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    expected = np.arange(rows, dtype=np.float32)
    array = jax.device_put(expected, whole)
    store = Checkpoints().open(tmp_path)
    del compiled[:]
    store.save(1, {"params": {"a": array}}, {})
    store.wait()
    assert bool(compiled) is programs
    like = jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=whole)
    _, found, _ = store.restore({"params": {"a": like}})
    store.close()
    np.testing.assert_array_equal(found["params"]["a"], expected)
