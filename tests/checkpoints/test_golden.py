"""Files of releases 0.1.0 and 0.2.0 must always load: a run, its export, and its samples.

Never write these files again: a change that cannot read them is wrong.
"""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from vdm_jax import sampling
from vdm_jax.checkpoints import CheckpointError, read_experiment

FOLDERS = {"0.1.0": "release", "0.2.0": "release_0_2"}
CAPTIONS = ["a small red circle moving left", "a large blue square standing still", ""]


@pytest.fixture(scope="module", params=FOLDERS)
def version(request):
    return request.param


@pytest.fixture(scope="module")
def release(version):
    return Path(__file__).parent / FOLDERS[version]


@pytest.fixture(scope="module")
def export(release):
    return sampling.load(release / "export")


def test_the_export_loads_and_gives_the_same_samples(export, release):
    step, trained = export
    cond = trained.encode(CAPTIONS, [-1] * 3)
    videos = trained.generate(jax.random.key(0), cond, 3)
    stored = np.load(release / "samples.npy")
    assert step == 3 and videos.shape == stored.shape
    assert np.abs(videos.astype(int) - stored).max() <= 1


def test_the_run_loads_and_equals_its_export(export, release, tmp_path):
    folder = shutil.copytree(release / "workdir", tmp_path / "workdir")
    step, trained = sampling.load(folder)
    assert step == 3 and trained.experiment == export[1].experiment
    pairs = zip(jax.tree.leaves(trained.params), jax.tree.leaves(export[1].params), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_files_state_their_version_and_layout(version, release, tmp_path):
    for name in ("workdir", "export"):
        facts = json.loads((release / name / "experiment.json").read_text())
        assert facts["versions"]["vdm_jax"] == version and facts["layout"] == 1
        (tmp_path / "experiment.json").write_text(json.dumps({**facts, "layout": 2}))
        with pytest.raises(CheckpointError, match="install a newer one"):
            read_experiment(tmp_path)
    (record,) = (release / "workdir" / "checkpoints" / "3").glob("record/metadata")
    assert json.loads(record.read_text())["layout"] == 1


def test_the_files_are_small(release):
    assert sum(f.stat().st_size for f in release.rglob("*") if f.is_file()) < 200_000
