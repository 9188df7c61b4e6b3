"""Where a run's time goes, and a trace of its steps."""

import json
import os
import subprocess
import sys
import time

import pytest
import several

from vdm_jax.training.timing import StepTimer


def test_seconds_of_each_kind_are_means_over_the_steps_since_the_last_line():
    pace = StepTimer()
    for _ in range(2):
        with pace.measure("data"):
            time.sleep(0.05)
        pace.step()
    first, second = pace.lap(), pace.lap()
    assert first["data"] == pytest.approx(0.05, rel=0.5) and first["host"] == 0
    assert second == {"data": 0, "host": 0, "device": 0}


PROFILES = {2: 1, 100: 1, 0: 0}
TRACED = f"""
import sys, tiny
from vdm_jax import training

for profile in {list(PROFILES)}:
    training.train(tiny.experiment(), f"{{sys.argv[1]}}/{{profile}}", profile)
"""


def test_a_run_leaves_a_trace_and_says_where_its_time_went(tmp_path):
    """100 steps of 6: what there was of them is written when the run ends.

    In a process of its own: libtpu, once it has described a topology, as tests of plans let it,
    brings the profiler down.
    """
    path = os.pathsep.join(map(str, (several.TESTS.parent, several.TESTS)))
    environment = os.environ | {"PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", TRACED, str(tmp_path)], env=environment, check=True)
    for profile, traces in PROFILES.items():
        folder = tmp_path / str(profile)
        assert len(list((folder / "tensorboard").rglob("*.xplane.pb"))) == traces
        for line in (folder / "metrics.jsonl").open():
            seconds = json.loads(line)["seconds"]
            assert set(seconds) == {"data", "host", "device"} and min(seconds.values()) >= 0
