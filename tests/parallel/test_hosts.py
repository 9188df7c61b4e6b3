"""Several processes: what each has to be told, and that a signal to one stops all at one step."""

import signal
import time

import pytest
import several

from vdm_jax import parallel
from vdm_jax.checkpoints import Checkpoints
from vdm_jax.parallel.hosts import launched

EXPERIMENT = """
import tiny
from vdm_jax import parallel

def experiment():
    return tiny.experiment(steps=1_000_000, log_every=1, mesh=parallel.Mesh(data=4, fsdp=2))
"""


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"processes": 2}, "--coordinator, --process is missing"),
        ({"coordinator": "localhost:1", "processes": 2}, "--process is missing"),
        ({"coordinator": "localhost:1", "processes": 2, "process": 2}, r"numbered 0 .. 1"),
        ({"coordinator": "localhost", "processes": 2, "process": 1}, "names no port"),
    ],
)
def test_what_a_process_is_told_has_to_be_whole(told, message):
    with pytest.raises(ValueError, match=message):
        parallel.Hosts(**told).start()


@pytest.mark.parametrize(
    ("environment", "answer"),
    [
        ({}, False),
        ({"SLURM_NTASKS": "4"}, False),  # in an allocation, and not under srun
        ({"SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_STEP_NUM_TASKS": "4"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
    ],
)
def test_launchers_are_recognised(environment, answer):
    assert launched({"JAX_PLATFORMS": "cpu", **environment}) is answer


def test_one_process_agrees_with_itself_at_once():
    agreed = parallel.Agreement(parallel.Mesh().build())
    assert [agreed(number) for number in (0, 15, 2)] == [0, 15, 2]


def test_a_signal_to_one_process_stops_all_at_the_same_step(tmp_path):
    file, workdir = tmp_path / "endless.py", tmp_path / "run"
    file.write_text(EXPERIMENT)
    runs = several.start(2, file, "--workdir", workdir)
    files = several.logs(workdir, 2)
    until = time.monotonic() + 600
    while not all(f.exists() and len(f.read_text().splitlines()) > 3 for f in files):
        assert time.monotonic() < until
        assert all(run.poll() is None for run in runs), several.end(runs)
        time.sleep(0.1)
    runs[1].send_signal(signal.SIGTERM)  # not the first, which speaks for all
    told = several.end(runs, 128 + signal.SIGTERM)
    step = several.stopped(told[0])
    assert several.stopped(told[1]) == step
    assert Checkpoints().open(workdir).steps() == [step]
    assert "loss" in told[0]
    assert "loss" not in told[1]

    runs = several.start(2, file, "--workdir", workdir, "--set", f"steps={step + 2}")
    told = several.end(runs)
    assert f"resuming at step {step} of {step + 2}" in told[0]
    steps = [line.split(",")[0] for line in files[0].read_text().splitlines()]
    assert steps == [f'{{"step": {n}' for n in range(1, step + 3)]
