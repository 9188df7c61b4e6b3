"""Runs of several processes: their flags, and a signal to one that stops all at the same step."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import several

from vdm_jax import parallel
from vdm_jax.checkpoints import Checkpoints
from vdm_jax.checkpoints.store import list_steps
from vdm_jax.parallel.processes import launcher_detected

EXPERIMENT = """
import tiny
from vdm_jax import parallel
from vdm_jax.checkpoints import Checkpoints

EVERY_FIFTH = Checkpoints(every=5)

def experiment():
    return tiny.experiment(steps=1_000_000, log_every=1, mesh=parallel.Mesh(data=4, fsdp=2))
"""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"processes": 2}, "--coordinator, --process is missing"),
        ({"coordinator": "localhost:1", "processes": 2}, "--process is missing"),
        ({"coordinator": "localhost:1", "processes": 2, "process": 2}, r"numbered 0 .. 1"),
        ({"coordinator": "localhost", "processes": 2, "process": 1}, "has no port"),
    ],
)
def test_incomplete_fields_are_rejected(fields, message):
    with pytest.raises(ValueError, match=message):
        parallel.Processes(**fields).start()


@pytest.mark.parametrize(
    ("environment", "answer"),
    [
        ({}, False),
        ({"SLURM_NTASKS": "4"}, False),  # in an allocation, but not under srun
        ({"SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_STEP_NUM_TASKS": "4"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
    ],
)
def test_launchers_are_detected(environment, answer):
    assert launcher_detected({"JAX_PLATFORMS": "cpu", **environment}) is answer


def test_a_signal_of_one_process_is_its_own_number():
    reduced = parallel.ReducedSignal(parallel.Mesh().build())
    assert [reduced(number) for number in (0, 15, 2)] == [0, 15, 2]


def have_logged(workdir, lines):
    """Whether the logs of both processes have at least `lines` lines."""
    logs = several.logs(workdir, 2)
    return all(log.exists() and log.read_text().count("\n") >= lines for log in logs)


def start_and_wait(file, workdir, ready):
    """Starts two training processes and waits until `ready()`."""
    runs = several.start(2, file, "--workdir", workdir, "--heartbeat-timeout", 20)
    deadline = time.monotonic() + 600
    while not ready():
        assert time.monotonic() < deadline
        assert all(run.poll() is None for run in runs), several.end(runs)
        time.sleep(0.1)
    return runs


def test_a_signal_to_one_process_stops_all_at_the_same_step(tmp_path):
    file, workdir = tmp_path / "endless.py", tmp_path / "run"
    file.write_text(EXPERIMENT)
    runs = start_and_wait(file, workdir, lambda: have_logged(workdir, 4))
    runs[1].send_signal(signal.SIGTERM)  # not to process 0
    outputs = several.end(runs, 128 + signal.SIGTERM)
    step = several.stopped(outputs[0])
    assert several.stopped(outputs[1]) == step
    assert Checkpoints().open(workdir).steps() == [step]
    assert "loss" in outputs[0]
    assert "loss" not in outputs[1]

    runs = several.start(2, file, "--workdir", workdir, "--set", f"steps={step + 2}")
    outputs = several.end(runs)
    assert f"resuming at step {step} of {step + 2}" in outputs[0]
    log = several.logs(workdir, 2)[0]
    steps = [line.split(",")[0] for line in log.read_text().splitlines()]
    assert steps == [f'{{"step": {n}' for n in range(1, step + 3)]


def steps_of(file):
    return [json.loads(line)["step"] for line in file.read_text().splitlines()]


def kill(runs, killed):
    """Kills one of two processes; returns the output of the other, which ends with an error."""
    runs[killed].kill()
    output = runs[1 - killed].communicate(timeout=300)[0]
    assert runs[1 - killed].returncode not in (0, None)
    runs[killed].communicate()
    return output


def test_a_killed_process_ends_the_others_and_the_run_resumes(tmp_path):
    file, workdir = tmp_path / "endless.py", tmp_path / "run"
    file.write_text(EXPERIMENT.replace("log_every=1", "log_every=1, checkpoints=EVERY_FIFTH"))
    output = kill(
        start_and_wait(file, workdir, lambda: list_steps(workdir) and have_logged(workdir, 8)),
        killed=0,
    )
    assert "another task died" in output, output
    saved = Checkpoints().open(workdir).steps()[-1]
    assert saved >= 5 and saved % 5 == 0

    before = max(log.read_text().count("\n") for log in several.logs(workdir, 2))
    output = kill(start_and_wait(file, workdir, lambda: have_logged(workdir, before + 1)), killed=1)
    assert "another task died" in output, output
    assert f"resuming at step {saved} of 1000000" in output
    whole_lines = several.logs(workdir, 2)[0].read_text().rpartition("\n")[0].splitlines()
    steps = [json.loads(line)["step"] for line in whole_lines]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) > before


NOTICE = """
import os, signal, sys, time
from pathlib import Path
import several, tiny
from vdm_jax import parallel, training

parallel.Processes(f"localhost:{several.port()}", 1, 0).start()
os.kill(os.getpid(), signal.SIGTERM)  # no handler yet: taken as the platform's notice
time.sleep(1)
training.train(tiny.experiment(steps=1_000_000, log_every=1), sys.argv[1])
"""


def test_a_preemption_notice_saves_and_stops(tmp_path):
    command = [sys.executable, "-c", NOTICE, str(tmp_path)]
    path = os.pathsep.join((str(several.TESTS.parent), str(several.TESTS)))
    run = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=600
    )
    assert "Interrupted: stopped by SIGTERM at step" in run.stderr
    (saved,) = Checkpoints().open(tmp_path).steps()
    assert saved == steps_of(tmp_path / "metrics.jsonl")[-1]


SMALL = """
from dataclasses import replace
from vdm_jax import models, nn, parallel, training


def narrow(module):
    match module:
        case models.UNet():
            level = replace(module.levels[-1], blocks=0, mixers=module.levels[-1].mixers[-1:])
            return module.clone(levels=(level,), embedding=narrow(module.embedding))
        case nn.NormalizedEmbedding():
            return module.clone(embedding=narrow(module.embedding))
        case nn.Embedding():
            return module.clone(inputs=module.inputs[:2])
    return module.clone(network=narrow(module.network))


def experiment():
    whole = training.load({path!r})
    return replace(
        whole,
        task=replace(whole.task, model=narrow(whole.task.model)),
        loader=replace(whole.loader, batch=8),
        mesh=parallel.{mesh},
        evaluations=(),
        steps=3,
        log_every=1,
    )
"""
CASCADE = "imagen_video/tiny"
RUNS = {
    "quickstart.py": "Mesh(data=4, fsdp=2)",
    f"{CASCADE}/base_4x8x8.py": "Mesh(data=2, frames=4)",
    f"{CASCADE}/ssr_8x16x16.py": "Mesh(data=1, frames=8)",  # both processes shard each video
}


@pytest.mark.long
def test_two_processes_have_the_losses_of_one(tmp_path):
    """The quickstart, a cascade's base and its super-resolution: one block, one layer over time."""
    files = []
    for path, mesh in RUNS.items():
        text = SMALL.format(path=str(several.TESTS.parent / "experiments" / path), mesh=mesh)
        files.append(tmp_path / os.path.basename(path))
        files[-1].write_text(text)
    for count in (1, 2):
        several.end(several.start(count, *files, "--workdir", tmp_path / str(count)))
    for file in files:
        one, two = (
            [json.loads(line)["loss"] for line in (folder / file.stem / "metrics.jsonl").open()]
            for folder in (tmp_path / "1", tmp_path / "2")
        )
        assert len(one) == 3
        np.testing.assert_allclose(two, one, rtol=1e-5, err_msg=file.stem)
