"""The soak of tests/benchmarks in short: one of each disturbance."""

import pytest
from benchmarks.soak import Soak


@pytest.mark.long
def test_a_run_that_was_stopped_killed_and_damaged_ends_as_one_left_alone(tmp_path):
    damages = ("SIGKILL", "corrupted", "full", "SIGTERM")
    soak = Soak(steps=160, every=10, longest=0.1, damages=damages, most=len(damages))
    done = soak.run(tmp_path)
    assert all(done[damage] for damage in damages), done
