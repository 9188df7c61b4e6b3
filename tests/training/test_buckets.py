"""A run's folder in a bucket: what it is and its log. (Arrays go there by TensorStore itself.)"""

import fake_bucket
import pytest
import tiny
from etils import epath

from vdm_jax.checkpoints import CheckpointError, read_experiment
from vdm_jax.checkpoints.store import absolute, steps_in
from vdm_jax.training import loop
from vdm_jax.training.log import Lines


@pytest.fixture
def workdir():
    fake_bucket.register()
    return epath.Path("s3://bucket/runs/one")


def test_an_experiment_is_written_read_and_claimed_in_a_bucket(workdir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loop.claim(tiny.experiment(), workdir)
    assert read_experiment(workdir) == tiny.experiment()
    with pytest.raises(CheckpointError, match="another experiment"):
        loop.claim(tiny.experiment(seed=1), workdir)
    (workdir / "checkpoints" / "20").mkdir(parents=True)
    (workdir / "checkpoints" / "20" / "file").write_text("")
    assert steps_in(workdir) == [20]
    assert absolute("s3://bucket/runs/one") == workdir
    assert absolute("runs") == epath.Path(tmp_path) / "runs"
    assert not list(tmp_path.iterdir())


def test_the_log_goes_on_from_its_step_in_a_bucket(workdir):
    workdir.mkdir(parents=True, exist_ok=True)
    for step in (0, 2):
        lines = Lines(workdir / "metrics.jsonl", step)
        for n in range(step + 1, step + 4):
            lines.append({"step": n})
    assert [record["step"] for record in lines.read()] == [1, 2, 3, 4, 5]
