"""A run with an executable equals the run that compiles; other experiments are refused."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny

from vdm_jax import parallel, training
from vdm_jax.training import executables

RUN = tiny.experiment(mesh=parallel.Mesh(data=2, fsdp=4))


@pytest.fixture
def executable(tmp_path, eight_devices):
    """The file of the compiled step of `RUN`, planned without reading its data."""
    path, mesh = tmp_path / "step", RUN.mesh.build()
    step, arguments = training.abstract_step(RUN, mesh)
    training.write_step(path, step.lower(*arguments).compile(), RUN, mesh)
    return path


def test_a_run_with_an_executable_is_bit_identical(executable, tmp_path, capsys):
    run = dataclasses.replace(RUN, log_every=3)  # the step does not depend on it
    read = training.train(run, tmp_path / "read", executable=executable)
    output = capsys.readouterr().out
    assert f"read {executable}" in output and "compiled in" not in output
    compiled = training.train(RUN, tmp_path / "compiled")
    for a, b in zip(*map(jax.tree.leaves, (read, compiled)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"optimizer": training.Adam(peak=2e-3, warmup=2, ema=0.9)}, "optimizer.peak"),
        ({"mesh": parallel.Mesh(data=8)}, "mesh.fsdp"),
        ({"steps": 7}, "steps: 6 -> 7"),
    ],
    ids=["optimizer", "mesh", "steps"],
)
def test_another_experiment_is_refused_before_it_starts(executable, tmp_path, change, difference):
    other = dataclasses.replace(RUN, **change)
    with pytest.raises(parallel.ExecutableMismatch, match=difference):
        training.train(other, tmp_path / "run", executable=executable)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_missing_labels_are_minus_one():
    shapes = {"label": jax.ShapeDtypeStruct((8, 3), np.int32)}
    batch = executables.add_missing_labels({"video": np.zeros((2, 1, 1))}, shapes)
    np.testing.assert_array_equal(batch["label"], np.full((2, 3), -1))
