"""A short run of tests/benchmarks/soak.py, with one disturbance of each kind."""

import pytest
from benchmarks.soak import Soak


@pytest.mark.long
def test_a_stopped_killed_and_damaged_run_equals_an_undisturbed_one(tmp_path):
    damages = ("SIGKILL", "corrupted", "full", "SIGTERM")
    soak = Soak(steps=160, every=10, longest=0.1, damages=damages, most=len(damages))
    done = soak.run(tmp_path)
    assert all(done[damage] for damage in damages), done
