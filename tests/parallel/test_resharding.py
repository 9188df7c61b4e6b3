"""A run resumes on any number of devices with bit-identical state."""

import dataclasses

import jax
import pytest
import tiny
from training.test_loop import same

from vdm_jax import parallel
from vdm_jax.checkpoints import Store
from vdm_jax.training import resuming

pytestmark = pytest.mark.usefixtures("eight_devices")

ROUTE = (
    (8, parallel.Mesh(data=1, fsdp=4, tensor=2)),
    (2, parallel.Mesh(data=1, fsdp=2)),
    (1, parallel.Mesh()),
    (8, parallel.Mesh(data=2, fsdp=2, frames=2)),
)


def test_a_state_restored_on_8_2_1_and_8_devices_is_bit_identical(tmp_path):
    experiment = tiny.experiment(data=dataclasses.replace(tiny.experiment().data, size=16))
    first = None
    for number, (devices, mesh) in enumerate(ROUTE):
        grid, store = mesh.build(jax.devices()[:devices]), Store(tmp_path)
        state, _, batch = resuming.restore_or_init(experiment, grid, store, None)
        first = first or jax.device_get(state)
        assert same(first, state)
        weights = state.params["layer"]["weights"]
        assert len(weights.sharding.device_set) == devices
        assert weights.addressable_shards[0].data.size == weights.size // mesh.fsdp
        if number:
            assert batch == number
        store.save(number + 1, resuming.state_to_trees(state), {"next_batch": number + 1})
        store.close()
