"""Where a run's time goes, and a trace of its steps."""

import json
import time

import pytest
import tiny

from vdm_jax import training
from vdm_jax.training.pace import Pace


def test_seconds_of_each_kind_are_means_over_the_steps_since_the_last_line():
    pace = Pace()
    for _ in range(2):
        with pace.doing("data"):
            time.sleep(0.05)
        pace.step()
    first, second = pace.lap(), pace.lap()
    assert first["data"] == pytest.approx(0.05, rel=0.5) and first["host"] == 0
    assert second == {"data": 0, "host": 0, "device": 0}


@pytest.mark.parametrize(("profile", "traces"), [(2, 1), (100, 1), (0, 0)])
def test_a_run_leaves_a_trace_and_says_where_its_time_went(profile, traces, tmp_path):
    """100 steps of 6: what there was of them is written when the run ends."""
    training.train(tiny.experiment(), tmp_path, profile)
    assert len(list((tmp_path / "tensorboard").rglob("*.xplane.pb"))) == traces
    for line in (tmp_path / "metrics.jsonl").open():
        seconds = json.loads(line)["seconds"]
        assert set(seconds) == {"data", "host", "device"} and min(seconds.values()) >= 0
