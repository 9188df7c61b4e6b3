"""Arrays of numpy's savez are read as they are; objects and lies are refused."""

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


def refused(path) -> str:
    with pytest.raises(CheckpointError) as error:
        dict(read_weights(path))
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    (tmp_path / "a.npz").rename(tmp_path / "a.weights")  # known by what is in it
    with hostile.watched() as seen:
        read = read_weights(tmp_path / "a.weights")
        found = dict(read)
    assert isinstance(read, Npz) and not seen.events and list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert read.shape(name) == array.shape and read.dtype(name) == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_objects_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{"x": 1}, None], object))
    with hostile.watched() as seen:
        assert "objects, which are pickled, are not read" in refused(tmp_path / "a.npz")
    assert not seen.events


def test_damage_is_refused(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, **ARRAYS)
    good = file.read_bytes()
    for end in (0, 10, 200, len(good) - 1):
        file.write_bytes(good[:end])
        assert "not a whole .npz file" in refused(file)
    at = good.index(ARRAYS["conv1a/W"].tobytes())
    file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    assert "CRC" in refused(file)


def test_lies_are_refused(tmp_path):
    file = tmp_path / "a.npz"
    np.savez_compressed(file, a=np.zeros(10**7, np.uint8))
    with hostile.watched() as seen:
        assert "claim" in refused(file)
    assert seen.peak < 2**20
    honest = io.BytesIO()
    np.save(honest, np.zeros((2, 3), np.float32))
    for old, new, reason in (
        (b"(2, 3)", b"(2, 4)", "not as many as"),
        (b"(2, 3)", b"(-1,6)", "not made of numbers"),
        (b"'<f4'", b"'|O8'", "not made of numbers"),
        (b"\x93NUMPY", b"\x93NUMPX", "no array of numpy"),
    ):
        with zipfile.ZipFile(file, "w") as made:
            made.writestr("a.npy", honest.getvalue().replace(old, new))
        assert reason in refused(file)
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a.npy", honest.getvalue())
        made.writestr("a.txt", "text")
    assert "'a.txt' is no array" in refused(file)
