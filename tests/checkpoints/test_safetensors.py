"""Safetensors: the bytes of the package, and invalid files."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors import numpy as package

from vdm_jax.checkpoints import CheckpointError, safetensors
from vdm_jax.checkpoints.tensors import BFLOAT16, CastTensors, InMemoryTensors

RANDOM = np.random.default_rng(0)
ARRAYS = InMemoryTensors(
    {
        "block_0/kernel": RANDOM.normal(size=(3, 5)).astype(np.float32),
        "block_0/bias": RANDOM.normal(size=5).astype(ml_dtypes.bfloat16),
        "été": np.arange(4, dtype=np.int8),
        "count": np.array(7, np.int32),
        "half": np.zeros((0, 4), np.float16),
        "flags": np.array([True, False]),
        "ids": np.arange(3),
    }
)


def identical(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_written_bytes_equal_those_of_the_package(tmp_path, metadata):
    safetensors.write_file(tmp_path / "ours.safetensors", ARRAYS, metadata=metadata)
    package.save_file(dict(ARRAYS), tmp_path / "theirs.safetensors", metadata=metadata)
    ours, theirs = (tmp_path / f"{n}.safetensors" for n in ("ours", "theirs"))
    assert ours.read_bytes() == theirs.read_bytes()


def test_reading_is_the_inverse_of_writing(tmp_path):
    files = safetensors.write(tmp_path, ARRAYS, shard_bytes=64, metadata={"step": 3})
    assert len(files) > 1
    for path in (tmp_path, tmp_path / "model.safetensors.index.json"):
        read = safetensors.Safetensors(path)
        assert set(read) == set(ARRAYS) and read.metadata["step"] == 3
        assert all(identical(read[name], ARRAYS[name]) for name in ARRAYS)
        assert all(read.shape(n) == ARRAYS[n].shape for n in ARRAYS)
        assert all(read.dtype(n) == ARRAYS[n].dtype for n in ARRAYS)
    total = json.loads((tmp_path / "model.safetensors.index.json").read_text())["metadata"]
    assert total["total_size"] == sum(a.nbytes for a in ARRAYS.values())
    assert all(f.stat().st_size < 64 + 1024 for f in files)


def test_a_cast_changes_only_floating_types(tmp_path):
    safetensors.write_file(tmp_path / "a.safetensors", CastTensors(ARRAYS, BFLOAT16))
    read = safetensors.Safetensors(tmp_path / "a.safetensors")
    assert read.dtype("block_0/kernel") == BFLOAT16 and read.dtype("count") == np.int32
    assert identical(read["block_0/kernel"], ARRAYS["block_0/kernel"].astype(BFLOAT16))


def error_of(path) -> str:
    with pytest.raises(CheckpointError) as error:
        dict(safetensors.Safetensors(path))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_invalid_files_are_one_line_errors(tmp_path):
    files = safetensors.write(tmp_path, ARRAYS, shard_bytes=64)
    index = tmp_path / "model.safetensors.index.json"
    good, text = files[0].read_bytes(), index.read_text()

    files[0].write_bytes(good[:-1])
    assert "not a valid safetensors file" in error_of(tmp_path)
    files[0].write_bytes((2**60).to_bytes(8, "little") + good[8:])
    assert "not a valid safetensors file" in error_of(tmp_path)
    files[0].unlink()
    assert "which is missing" in error_of(tmp_path)
    files[0].write_bytes(good)

    moved = text.replace(files[0].name, files[1].name)
    index.write_text(moved)
    assert "should be in" in error_of(tmp_path)
    index.write_text(text.replace(files[0].name, "../model.safetensors"))
    assert "files outside its folder" in error_of(tmp_path)
    index.write_text("[" * 100_000)
    assert "not an index" in error_of(tmp_path)
    index.unlink()
    assert "several sets of weights" in error_of(tmp_path)
    assert "no .safetensors" in error_of(tmp_path.parent)
    assert "no file" in error_of(tmp_path / "nothing")


def test_unsupported_types_are_errors(tmp_path):
    header = b'{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"12")
    assert "F8_E4M3" in error_of(tmp_path / "a.safetensors")
