"""Published weights: the right file is read, and wrong files are errors with the reason."""

import dataclasses
import hashlib

import flax.linen as nn
import numpy as np
import pytest
import torch_format

from vdm_jax.checkpoints import PUBLISHED, CheckpointError, Layout, Published, published
from vdm_jax.checkpoints.crc32c import crc32c, mask
from vdm_jax.checkpoints.rules import dense


class Two(nn.Module):
    """A network of two layers."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, name="layer_1")(nn.Dense(3, name="layer_0")(x))


RANDOM = np.random.default_rng(0)
SHAPES = {"a.0.weight": (3, 5), "a.0.bias": (3,), "a.1.weight": (2, 3), "a.1.bias": (2,)}
TENSORS = {name: RANDOM.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
FILE = torch_format.new(TENSORS)
TWO = Published(
    name="two",
    file="made/two.pt",
    page="https://example.org/two",
    layout=Layout("two", dense("a.{i}", "layer_{i}")),
    network=Two(),
    inputs=((1, 5),),
    crc32c=(("a.1.weight", mask(crc32c(TENSORS["a.1.weight"].tobytes()))),),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(published.WEIGHTS, str(tmp_path))
    return tmp_path


def error_of(one, path=None) -> str:
    with pytest.raises(CheckpointError) as error:
        one.parameters(path=path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_checksum_agrees_with_rfc_3720():
    answers = {b"123456789": 0xE3069283, bytes(32): 0x8A9136AA, b"\xff" * 32: 0x62A8AB43, b"": 0}
    answers[bytes(range(32))] = 0x46DD794E
    for data, answer in answers.items():
        assert crc32c(data) == answer
    # A message followed by its checksum has a constant checksum.
    for size in (1, 255, 256, 1000, 123_457):
        data = RANDOM.bytes(size)
        assert crc32c(data + crc32c(data).to_bytes(4, "little")) == 0x48674BC7


def test_the_error_for_a_missing_file_says_how_to_fetch_it(folder):
    message = error_of(TWO)
    for part in (str(folder / "made/two.pt"), TWO.page, "vdm-jax fetch-weights two --from PATH"):
        assert part in message
    (folder / "made").mkdir()
    (folder / "made/two.pt").write_bytes(FILE)
    assert TWO.path() == folder / "made/two.pt"
    pair = dataclasses.replace(TWO, companions=("two.more",))
    assert str(folder / "made/two.more") in error_of(pair)


def test_the_right_file_is_read(folder):
    (folder / "two.pt").write_bytes(FILE)
    known = dataclasses.replace(TWO, size=len(FILE), sha256=hashlib.sha256(FILE).hexdigest())
    assert known.sha256
    named = dataclasses.replace(known, sha256=known.sha256[:8])  # as in torch's file names
    blob = hashlib.sha1(b"blob %d\0" % len(FILE) + FILE).hexdigest()  # git's id
    for one in (TWO, known, named, dataclasses.replace(TWO, blob=blob)):
        params = one.parameters(path=folder / "two.pt")
        np.testing.assert_array_equal(params["layer_1"]["kernel"], TENSORS["a.1.weight"].T)


def test_wrong_files_are_errors(folder, unchecked):
    file = folder / "two.pt"
    file.write_bytes(FILE)
    assert "it is truncated" in error_of(dataclasses.replace(TWO, size=len(FILE) + 1), file)
    assert "another file" in error_of(dataclasses.replace(TWO, size=len(FILE) - 1), file)
    assert "SHA-256" in error_of(dataclasses.replace(TWO, sha256="0" * 64), file)
    assert "git id" in error_of(dataclasses.replace(TWO, blob="0" * 40), file)
    file.write_bytes(FILE[:-200])
    assert "not a valid PyTorch file" in error_of(TWO, file)
    damaged = bytearray(FILE)
    damaged[FILE.index(TENSORS["a.0.weight"].tobytes())] ^= 1
    file.write_bytes(damaged)
    assert "CRC" in error_of(TWO, file)
    changed = {
        "no tensor a.0.bias": {n: t for n, t in TENSORS.items() if n != "a.0.bias"},
        "a.2.bias is no parameter": {**TENSORS, "a.2.bias": TENSORS["a.1.bias"]},
        "is (3, 4), expected (3, 5)": {**TENSORS, "a.0.weight": TENSORS["a.0.weight"][:, :4]},
        "another variant": {**TENSORS, "a.1.weight": TENSORS["a.1.weight"] + 1},
    }
    for reason, tensors in changed.items():
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        file.write_bytes(torch_format.new(tensors))
        assert reason in error_of(TWO, file)


def test_the_catalogue_is_consistent():
    for name, one in PUBLISHED.items():
        assert one.name == name and one.page.startswith("https://")
        assert not one.urls or len(one.urls) == len(one.files)
