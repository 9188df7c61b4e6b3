"""Remote paths: reading weights, atomic writes, and `--out` of commands."""

import json

import fake_remote
import numpy as np
import pytest
import untrained
from etils import epath
from safetensors.numpy import save_file

from vdm_jax import checkpoints, storage
from vdm_jax.checkpoints import CheckpointError, folders, published
from vdm_jax.commands import main

ROOT = "s3://bucket/things"


@pytest.fixture(autouse=True)
def fake_s3(tmp_path, monkeypatch):
    fake_remote.register()
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "s3:").exists()  # the folder that pathlib makes of s3://


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A local run folder."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    untrained.run(folder)
    return folder


def test_remote_weights_are_read(tmp_path, monkeypatch):
    arrays = {"a": np.arange(6.0).reshape(2, 3)}
    save_file(arrays, tmp_path / "some.safetensors")
    storage.copy(tmp_path / "some.safetensors", f"{ROOT}/weights/some.safetensors")
    read = checkpoints.read_weights(f"{ROOT}/weights/some.safetensors")
    np.testing.assert_array_equal(read["a"], arrays["a"])
    assert published.find_weights(f"{ROOT}/weights/some.safetensors", "{}").is_file()
    with pytest.raises(CheckpointError, match="there is no file"):
        checkpoints.read_weights(f"{ROOT}/weights/none.safetensors")
    monkeypatch.setenv("VDM_JAX_WEIGHTS", f"{ROOT}/weights")
    assert published.find_weights("some.safetensors", "{}").is_file()


def test_atomic_writes_are_remote_whole_or_not_at_all():
    with storage.atomic_file(f"{ROOT}/whole/file.txt") as partial:
        partial.write_text("all")
        assert not epath.Path(f"{ROOT}/whole/file.txt").exists()
    assert epath.Path(f"{ROOT}/whole/file.txt").read_text() == "all"
    with pytest.raises(KeyError), folders.atomic_folder(f"{ROOT}/whole/folder") as partial:
        (partial / "a").write_text("a part")
        raise KeyError
    assert not epath.Path(f"{ROOT}/whole/folder").exists()
    with (
        pytest.raises(CheckpointError, match="exists already"),
        folders.atomic_folder(f"{ROOT}/whole"),
    ):
        pass


def test_a_run_is_exported_to_and_sampled_from_a_remote_folder(run, capsys):
    main(["export", str(run), "--out", f"{ROOT}/export", "--samples", "0"])
    main(["sample", f"{ROOT}/export", "--count", "2", "--format", "gif"])
    folder = epath.Path(f"{ROOT}/export/samples")
    index = json.loads((folder / "samples.json").read_text())
    assert [(folder / sample["file"]).exists() for sample in index["samples"]] == [True, True]
    assert "uploaded to s3://bucket/things/export/samples" in capsys.readouterr().out
    main(["import", f"{ROOT}/export", "--workdir", f"{ROOT}/imported"])
    step, arrays = checkpoints.parameters(f"{ROOT}/imported")
    _, expected = checkpoints.parameters(run)
    assert step == 3 and set(arrays) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(arrays[name], expected[name])


def test_append_to_a_remote_file():
    for number in (1, 2):
        storage.append(f"{ROOT}/lines.jsonl", f"{number}\n")
    assert epath.Path(f"{ROOT}/lines.jsonl").read_text() == "1\n2\n"
