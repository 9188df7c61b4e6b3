"""numpy's .npz files: arrays are read exactly; objects and false headers are refused."""

import io
import zipfile

import hostile
import numpy as np
import pytest

from vdm_jax.checkpoints import CheckpointError, read_weights
from vdm_jax.checkpoints.npz import Npz

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "conv1a/W": RANDOM.normal(size=(3, 2, 3, 3, 3)).astype(np.float32),
    "conv1a/b": np.zeros(3, np.float16),
    "fc/W": np.asfortranarray(RANDOM.normal(size=(4, 5))),
    "count": np.array(7),
    "none": np.zeros((0, 3), np.uint8),
    "big": np.arange(3, dtype=">i4"),
}


def error_of(path) -> str:
    with pytest.raises(CheckpointError) as error:
        dict(read_weights(path))
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_numpy_are_read(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    (tmp_path / "a.npz").rename(tmp_path / "a.weights")  # the format is detected from the contents
    with hostile.audited() as audit:
        read = read_weights(tmp_path / "a.weights")
        arrays = dict(read)
    assert isinstance(read, Npz) and not audit.events and list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert read.shape(name) == array.shape and read.dtype(name) == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_pickled_objects_are_errors(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{"x": 1}, None], object))
    with hostile.audited() as audit:
        assert "pickled objects are not supported" in error_of(tmp_path / "a.npz")
    assert not audit.events


def test_damaged_files_are_errors(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, **ARRAYS)
    good = file.read_bytes()
    for end in (0, 10, 200, len(good) - 1):
        file.write_bytes(good[:end])
        assert "not a valid .npz file" in error_of(file)
    at = good.index(ARRAYS["conv1a/W"].tobytes())
    file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    assert "CRC" in error_of(file)


def test_false_headers_are_errors(tmp_path):
    file = tmp_path / "a.npz"
    np.savez_compressed(file, a=np.zeros(10**7, np.uint8))
    with hostile.audited() as audit:
        assert "its members state" in error_of(file)
    assert audit.peak < 2**20
    valid = io.BytesIO()
    np.save(valid, np.zeros((2, 3), np.float32))
    for old, new, reason in (
        (b"(2, 3)", b"(2, 4)", "not the size of"),
        (b"(2, 3)", b"(-1,6)", "has no plain numbers"),
        (b"'<f4'", b"'|O8'", "has no plain numbers"),
        (b"\x93NUMPY", b"\x93NUMPX", "no array of numpy"),
    ):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.npy", valid.getvalue().replace(old, new))
        assert reason in error_of(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", valid.getvalue())
        archive.writestr("a.txt", "text")
    assert "'a.txt' is no array" in error_of(file)
