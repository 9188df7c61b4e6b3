"""What release 0.1.0 wrote has to load for ever: a run and its export, and what they sampled.

Never make these files again: where a change cannot read them, the change has to.
"""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from vdm_jax import sampling
from vdm_jax.checkpoints import CheckpointError, read_experiment

GOLDEN = Path(__file__).parent / "release"
CAPTIONS = ["a small red circle moving left", "a large blue square standing still", ""]


@pytest.fixture(scope="module")
def export():
    return sampling.load(GOLDEN / "export")


def test_the_export_loads_and_samples_as_it_did(export):
    step, trained = export
    cond = trained.encode(CAPTIONS, [-1] * 3)
    videos = trained.generate(jax.random.key(0), cond, 3)
    stored = np.load(GOLDEN / "samples.npy")
    assert step == 3 and videos.shape == stored.shape
    assert np.abs(videos.astype(int) - stored).max() <= 1


def test_the_run_loads_and_is_what_was_exported(export, tmp_path):
    folder = shutil.copytree(GOLDEN / "workdir", tmp_path / "workdir")
    step, trained = sampling.load(folder)
    assert step == 3 and trained.experiment == export[1].experiment
    pairs = zip(jax.tree.leaves(trained.params), jax.tree.leaves(export[1].params), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_both_say_who_wrote_them(tmp_path):
    for name in ("workdir", "export"):
        facts = json.loads((GOLDEN / name / "experiment.json").read_text())
        assert facts["versions"]["vdm_jax"] == "0.1.0" and facts["layout"] == 1
        (tmp_path / "experiment.json").write_text(json.dumps({**facts, "layout": 2}))
        with pytest.raises(CheckpointError, match="install a newer one"):
            read_experiment(tmp_path)
    (record,) = (GOLDEN / "workdir" / "checkpoints" / "3").glob("record/metadata")
    assert json.loads(record.read_text())["layout"] == 1


def test_it_is_small():
    assert sum(f.stat().st_size for f in GOLDEN.rglob("*") if f.is_file()) < 200_000
