"""Checkpoints and exports with parameter scopes of older versions load under the current names."""

import jax
import numpy as np
import optax
import pytest
import tiny

from vdm_jax.checkpoints import Checkpoints, exports
from vdm_jax.checkpoints.tensors import InMemoryTensors


def trees(down, up):
    """Parameters and the state of an optimizer, of a network with these scopes."""
    rng = np.random.default_rng(0)
    params = {
        "down_0": {down: {"Conv_0": {"kernel": np.float32(rng.normal(size=(3, 2)))}}},
        "up_0": {up: {"Conv_0": {"kernel": np.float32(rng.normal(size=(2, 3)))}}},
    }
    state = optax.adam(1e-3).update(params, optax.adam(1e-3).init(params))[1]
    return {"params": params, "ema": params, "optimizer": jax.device_get(state)}


OLD = trees("HalvingConvolution_0", "DoublingConvolution_0")
NEW = trees("DownsampleConv_0", "UpsampleConv_0")


def assert_equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("stored", [OLD, NEW], ids=["old", "new"])
def test_checkpoint(stored, tmp_path):
    store = Checkpoints().open(tmp_path)
    store.save(1, stored, {})
    store.wait()
    step, restored, _ = store.restore(NEW)
    assert step == 1
    assert_equal(restored, NEW)
    tensors = store.tensors(1, {"ema": "params"})
    assert_equal(dict(tensors), {f"params/{path}": x for path, x in flat(NEW["ema"]).items()})
    store.close()


@pytest.mark.parametrize("stored", [OLD, NEW], ids=["old", "new"])
def test_export(stored, tmp_path):
    tensors = InMemoryTensors({f"params/{path}": x for path, x in flat(stored["ema"]).items()})
    exports.write_export(tmp_path, tiny.experiment(), tensors, step=7)
    step, restored, _ = exports.open_run(tmp_path).restore({"ema": NEW["ema"]})
    assert step == 7
    assert_equal(restored, {"ema": NEW["ema"]})
    _, found = exports.parameters(tmp_path)
    assert_equal(dict(found), {f"params/{path}": x for path, x in flat(NEW["ema"]).items()})


def flat(params):
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in leaves}
