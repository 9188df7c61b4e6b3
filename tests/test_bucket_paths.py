"""Paths in a bucket, where commands take one: weights that are read, and what `--out` makes."""

import json

import fake_bucket
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
def bucket(tmp_path, monkeypatch):
    fake_bucket.register()
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "s3:").exists()  # what pathlib would make of it


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, on this machine."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    untrained.run(folder)
    return folder


def test_weights_are_read_from_a_bucket(tmp_path, monkeypatch):
    arrays = {"a": np.arange(6.0).reshape(2, 3)}
    save_file(arrays, tmp_path / "some.safetensors")
    storage.copy(tmp_path / "some.safetensors", f"{ROOT}/weights/some.safetensors")
    found = checkpoints.read_weights(f"{ROOT}/weights/some.safetensors")
    np.testing.assert_array_equal(found["a"], arrays["a"])
    assert published.at_hand(f"{ROOT}/weights/some.safetensors", "{}").is_file()
    with pytest.raises(CheckpointError, match="there is no file"):
        checkpoints.read_weights(f"{ROOT}/weights/none.safetensors")
    monkeypatch.setenv("VDM_JAX_WEIGHTS", f"{ROOT}/weights")
    assert published.at_hand("some.safetensors", "{}").is_file()


def test_what_is_written_whole_is_in_the_bucket_whole_or_not_at_all():
    with folders.atomic_file(f"{ROOT}/whole/file.txt") as partial:
        partial.write_text("all")
        assert not epath.Path(f"{ROOT}/whole/file.txt").exists()
    assert epath.Path(f"{ROOT}/whole/file.txt").read_text() == "all"
    with pytest.raises(KeyError), folders.atomic_folder(f"{ROOT}/whole/folder") as partial:
        (partial / "a").write_text("a part")
        raise KeyError
    assert not epath.Path(f"{ROOT}/whole/folder").exists()
    with (
        pytest.raises(CheckpointError, match="is there already"),
        folders.atomic_folder(f"{ROOT}/whole"),
    ):
        pass


def test_a_run_is_exported_to_a_bucket_and_sampled_from_there(run, capsys):
    main(["export", str(run), "--out", f"{ROOT}/export", "--samples", "0"])
    main(["sample", f"{ROOT}/export", "--count", "2", "--format", "gif"])
    made = epath.Path(f"{ROOT}/export/samples")
    told = json.loads((made / "samples.json").read_text())
    assert [(made / sample["file"]).exists() for sample in told["samples"]] == [True, True]
    assert "sent to s3://bucket/things/export/samples" in capsys.readouterr().out
    main(["import", f"{ROOT}/export", "--workdir", f"{ROOT}/imported"])
    step, arrays = checkpoints.parameters(f"{ROOT}/imported")
    _, expected = checkpoints.parameters(run)
    assert step == 3 and set(arrays) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(arrays[name], expected[name])


def test_lines_are_added_to_a_file_in_a_bucket():
    for number in (1, 2):
        storage.append(f"{ROOT}/lines.jsonl", f"{number}\n")
    assert epath.Path(f"{ROOT}/lines.jsonl").read_text() == "1\n2\n"
