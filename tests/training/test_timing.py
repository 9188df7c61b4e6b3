"""The time of steps by kind, and profiler traces."""

import json
import os
import subprocess
import sys
import time

import pytest
import several

from vdm_jax.training.timing import StepTimer


def test_a_lap_gives_mean_seconds_per_step_of_each_kind():
    timer = StepTimer()
    for _ in range(2):
        with timer.measure("data"):
            time.sleep(0.05)
        timer.step()
    first, second = timer.lap(), timer.lap()
    assert first["data"] == pytest.approx(0.05, rel=0.5) and first["host"] == 0
    assert second == {"data": 0, "host": 0, "device": 0}


PROFILES = {2: 1, 100: 1, 0: 0}  # steps to trace: trace files
SCRIPT = f"""
import sys, tiny
from vdm_jax import training

for profile in {list(PROFILES)}:
    training.train(tiny.experiment(), f"{{sys.argv[1]}}/{{profile}}", profile)
"""


def test_a_run_writes_a_trace_and_the_seconds_of_each_kind(tmp_path):
    """A trace of 100 steps ends with the run of 6.

    It runs in its own process: the profiler crashes once libtpu has described a topology, as it
    does for tests of plans.
    """
    path = os.pathsep.join(map(str, (several.TESTS.parent, several.TESTS)))
    environment = os.environ | {"PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, check=True)
    for profile, traces in PROFILES.items():
        folder = tmp_path / str(profile)
        assert len(list((folder / "tensorboard").rglob("*.xplane.pb"))) == traces
        for line in (folder / "metrics.jsonl").open():
            seconds = json.loads(line)["seconds"]
            assert set(seconds) == {"data", "host", "device"} and min(seconds.values()) >= 0
