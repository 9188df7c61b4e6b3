"""TensorFlow checkpoints: published indices are read, damaged and false ones are refused."""

import bundle_format
import hostile
import numpy as np
import pytest

from vdm_jax.checkpoints import PUBLISHED, CheckpointError, read_weights
from vdm_jax.checkpoints.bundles import Bundle, read_index

RANDOM = np.random.default_rng(0)
TENSORS = {
    "RGB/a/w": RANDOM.normal(size=(3, 5)).astype(np.float32),
    "RGB/a/moving_mean": RANDOM.normal(size=5).astype(np.float32),
    "RGB/b/w": RANDOM.normal(size=(2, 2, 300)).astype(np.float16),
    **{f"RGB/c_{i}": np.array(i) for i in range(9)},
    "RGB/d": np.zeros((0, 4), np.uint8),
}


def error_of(path) -> str:
    with pytest.raises(CheckpointError) as error:
        dict(read_weights(path))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("compress", [None, bundle_format.literal])
def test_reading_is_the_inverse_of_writing(tmp_path, compress):
    index = bundle_format.write(tmp_path / "model.ckpt", TENSORS, compress)
    for path in (index, tmp_path / "model.ckpt"):
        with hostile.audited() as audit:
            read = read_weights(path)
        assert isinstance(read, Bundle) and not audit.events
        assert list(read) == sorted(TENSORS)
        for name, array in TENSORS.items():
            assert read.shape(name) == array.shape and read.dtype(name) == array.dtype
            assert read[name].tobytes() == array.tobytes()


def test_the_published_indices_of_i3d(real_clips):
    folder = real_clips.parent / "fixtures" / "i3d"
    files = ("rgb_scratch.model.ckpt", "rgb_imagenet.model.ckpt", "variables")
    scratch, imagenet, hub = (read_index(folder / f"{file}.index")[1] for file in files)
    for entries in (scratch, imagenet, hub):
        assert len(entries) == 230 and set(entries) == set(scratch)
        assert sum(e.nbytes for e in entries.values()) == 50_818_176
        end = 0  # the tensors are contiguous
        for entry in sorted(entries.values(), key=lambda e: e.offset):
            assert entry.offset == end and entry.dtype == np.float32
            end += entry.nbytes
    start = "RGB/inception_i3d/"
    for name, shape, crc in (
        ("Logits/Conv3d_0c_1x1/conv_3d/w", (1, 1, 1, 1024, 400), 2968598036),
        ("Logits/Conv3d_0c_1x1/conv_3d/b", (400,), 549507829),
        ("Conv3d_1a_7x7/conv_3d/w", (7, 7, 7, 3, 64), 1008621070),
    ):
        assert scratch[start + name].shape == shape and scratch[start + name].crc32c == crc
    # The TensorFlow Hub module is the scratch checkpoint with five-axis statistics.
    for name, entry in scratch.items():
        wide = (1, 1, 1, 1, *entry.shape) if "batch_norm" in name else entry.shape
        assert hub[name].crc32c == entry.crc32c != imagenet[name].crc32c
        assert hub[name].shape == wide and imagenet[name].shape == entry.shape
    names = ("i3d_kinetics400", "i3d_rgb_imagenet", "i3d_kinetics400_hub")
    for name, index, file in zip(names, (scratch, imagenet, hub), files, strict=True):
        data = max(entry.offset + entry.nbytes for entry in index.values())
        published = PUBLISHED[name]
        assert published.size == (folder / f"{file}.index").stat().st_size
        assert published.bytes == published.size + data


def test_damaged_and_missing_files_are_errors(tmp_path):
    index = bundle_format.write(tmp_path / "model.ckpt", TENSORS)
    data, good = tmp_path / "model.ckpt.data-00000-of-00001", index.read_bytes()
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    assert "it is truncated" in error_of(index)
    changed = bytearray(whole)
    changed[whole.index(TENSORS["RGB/a/w"].tobytes()) + 7] ^= 64
    data.write_bytes(changed)
    assert "RGB/a/w has CRC-32C" in error_of(index)
    data.unlink()
    assert f"its data file {data} is missing" in error_of(index)
    for end in (0, 30, 100, len(good) - 1):
        index.write_bytes(good[:end])
        assert "not a valid index" in error_of(index)
    for at in (3, 50, len(good) // 2):
        index.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert "a wrong checksum" in error_of(index)


FALSE = {
    "a size": ({"size": 2**40}, "bytes, or is in slices"),
    "an offset": ({"offset": 2**50}, "it is truncated"),
    "a file": ({"shard": 3}, "outside its 1 data files"),
    "a type": ({"dtype": 2}, "bytes, or is in slices"),
}


@pytest.mark.parametrize("kind", FALSE)
def test_false_entries_are_errors(tmp_path, kind):
    values, reason = FALSE[kind]
    index = bundle_format.write(tmp_path / "a", TENSORS, false={"RGB/a/w": values})
    with hostile.audited() as audit:
        assert reason in error_of(index)
    assert audit.peak < 2**21


def test_the_size_of_compressed_blocks_is_bounded(tmp_path):
    for compress, reason in (
        (lambda data: bundle_format.varint(2**40) + data, "cannot be"),
        (lambda data: bundle_format.varint(9) + b"\x01\x09", "from before its start"),
        (lambda data: bundle_format.varint(4) + bundle_format.literal(data)[2:], "larger than"),
    ):
        index = bundle_format.write(tmp_path / "a", TENSORS, compress)
        assert reason in error_of(index)
