"""`experiment.json` and the log of a run in cloud storage. (TensorStore writes the arrays.)"""

import fake_remote
import pytest
import tiny
from etils import epath

from vdm_jax.checkpoints import CheckpointError, read_experiment
from vdm_jax.checkpoints.store import absolute_path, list_steps
from vdm_jax.training import resuming
from vdm_jax.training.log import JsonLines


@pytest.fixture
def workdir():
    fake_remote.register()
    return epath.Path("s3://bucket/runs/one")


def test_experiment_json_is_written_and_checked_in_cloud_storage(workdir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resuming.claim_workdir(tiny.experiment(), workdir)
    assert read_experiment(workdir) == tiny.experiment()
    with pytest.raises(CheckpointError, match="another experiment"):
        resuming.claim_workdir(tiny.experiment(seed=1), workdir)
    (workdir / "checkpoints" / "20").mkdir(parents=True)
    (workdir / "checkpoints" / "20" / "file").write_text("")
    assert list_steps(workdir) == [20]
    assert absolute_path("s3://bucket/runs/one") == workdir
    assert absolute_path("runs") == epath.Path(tmp_path) / "runs"
    assert not list(tmp_path.iterdir())


def test_the_log_resumes_at_its_step_in_cloud_storage(workdir):
    workdir.mkdir(parents=True, exist_ok=True)
    for step in (0, 2):
        lines = JsonLines(workdir / "metrics.jsonl", step)
        for n in range(step + 1, step + 4):
            lines.append({"step": n})
    assert [record["step"] for record in lines.read()] == [1, 2, 3, 4, 5]
