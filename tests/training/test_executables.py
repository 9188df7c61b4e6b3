"""A run whose step was compiled elsewhere is the run that compiles it, and of no other."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny

from vdm_jax import parallel, training
from vdm_jax.commands import planning
from vdm_jax.training import executables

RUN = tiny.experiment(mesh=parallel.Mesh(data=2, fsdp=4))


@pytest.fixture
def written(tmp_path, eight_devices):
    """The file of the compiled step of `RUN`, planned without a look at its data."""
    path, mesh = tmp_path / "step", RUN.mesh.build()
    step, arguments = planning.training_step(RUN, mesh)
    training.write_step(path, step.lower(*arguments).compile(), RUN, mesh)
    return path


def test_the_run_is_the_same_to_the_bit(written, tmp_path, capsys):
    seldom = dataclasses.replace(RUN, log_every=3)  # nothing that the step depends on
    read = training.train(seldom, tmp_path / "read", executable=written)
    said = capsys.readouterr().out
    assert f"read {written}" in said and "compiled in" not in said
    compiled = training.train(RUN, tmp_path / "compiled")
    for a, b in zip(*map(jax.tree.leaves, (read, compiled)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"optimizer": training.Adam(peak=2e-3, warmup=2, ema=0.9)}, "optimizer.peak"),
        ({"mesh": parallel.Mesh(data=8)}, "mesh.fsdp"),
        ({"steps": 7}, "steps: 6 -> 7"),
    ],
    ids=["optimizer", "mesh", "steps"],
)
def test_another_run_is_refused_before_it_starts(written, tmp_path, change, named):
    other = dataclasses.replace(RUN, **change)
    with pytest.raises(parallel.ExecutableMismatch, match=named):
        training.train(other, tmp_path / "run", executable=written)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_labels_that_data_lack_are_none():
    shapes = {"label": jax.ShapeDtypeStruct((8, 3), np.int32)}
    found = executables.with_labels({"video": np.zeros((2, 1, 1))}, shapes)
    np.testing.assert_array_equal(found["label"], np.full((2, 3), -1))
