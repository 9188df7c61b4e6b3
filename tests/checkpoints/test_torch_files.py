"""PyTorch files: tensors are read without torch, and no code in them runs."""

import hostile
import numpy as np
import pytest
import torch_format
from torch_format import Call, Name, Raw, instructions, tensor

from vdm_jax.checkpoints import CheckpointError
from vdm_jax.checkpoints.torch_files import TorchFile

RANDOM = np.random.default_rng(0)
TREE = {
    "in.weight": RANDOM.normal(size=(3, 5)).astype(np.float32),
    "in.bias": RANDOM.normal(size=5).astype(np.float16),
    "steps": np.array(7),
    "none": np.zeros((0, 4), np.float32),
    "image": np.arange(12, dtype=np.uint8).reshape(3, 4).T,
}


def identical(read, tree):
    return list(read) == list(tree) and all(
        read[n].dtype == a.dtype and read[n].tobytes() == a.tobytes() and read[n].shape == a.shape
        for n, a in tree.items()
    )


@pytest.mark.parametrize("form", [torch_format.new, torch_format.legacy])
def test_both_formats_are_read(tmp_path, form):
    file = tmp_path / "a.pt"
    tree = {name: np.ascontiguousarray(a) for name, a in TREE.items()}
    file.write_bytes(form(tree))
    assert identical(TorchFile(file), tree)
    nested = {"epoch": 3, "optimizer": {"state": {0: tree}}, "state_dict": {"unet": tree}}
    file.write_bytes(form(nested))
    read = TorchFile(file)
    assert read.state_dict_path == ("state_dict",)
    assert identical(read, {f"unet.{name}": array for name, array in tree.items()})


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_are_read_exactly(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    tree = {name: torch.tensor(array) for name, array in TREE.items()}
    tree["transposed"] = tree["in.weight"].T
    tree["row"] = tree["in.weight"][1:, 2]
    tree["tied"] = tree["in.weight"]
    tree["half"] = tree["in.weight"].bfloat16()
    tree["parameter"] = torch.nn.Parameter(tree["in.weight"])
    if zipped:
        tree["wide"] = torch.tensor([1, 2**31], dtype=torch.uint32)
    torch.save({"model": tree}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    read = TorchFile(tmp_path / "a.pt")
    assert set(read) == set(tree) and read.dtype("half") == read["half"].dtype
    for name, theirs in tree.items():
        theirs = theirs.detach()
        wide = theirs.float() if theirs.dtype == torch.bfloat16 else theirs
        assert np.array_equal(np.asarray(read[name], wide.numpy().dtype), wide.numpy()), name
        assert read.shape(name) == tuple(theirs.shape)


def test_state_dicts_are_read_and_pickled_modules_refused(tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.save(module.state_dict(), tmp_path / "a.pt")
    read = TorchFile(tmp_path / "a.pt")
    assert list(read) == list(module.state_dict())
    torch.save(module, tmp_path / "a.pt")  # the module itself
    assert "an unsupported" in error_of(tmp_path / "a.pt")


@pytest.mark.parametrize("frozen", [False, True])
def test_torchscript_is_read(tmp_path, frozen):
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.sides, self.rates, self.names, self.model = [1, 2], [0.5], {"a": 1}, None
            self.register_buffer("mean", torch.rand(3, 2).T)
            self.body = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))

        def forward(self, x):
            return self.body(x + self.mean[0, 0]) + torch.tensor([2.5])

    network = torch.jit.script(Network().eval())
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    if frozen:
        network = torch.jit.freeze(network, optimize_numerics=False)
    network.save(str(tmp_path / "a.pt"))
    with hostile.audited() as audit:
        read = TorchFile(tmp_path / "a.pt")
    assert not audit.events
    constants = [read[name] for name in read if name.startswith("CONSTANTS.c")]
    if frozen:  # parameters become constants without their names
        expected = [state[f"body.{name}"] for name in ("0.weight", "0.bias", "1.running_var")]
        assert all(any(np.array_equal(k, c) for c in constants) for k in expected)
    else:
        assert set(state) == set(read) - {"CONSTANTS.c0"}
        assert all(np.array_equal(read[name], tensor) for name, tensor in state.items())


def test_published_files_are_read(real_clips):
    folder = real_clips.parent / "nets"
    counts = {"raft-small/raft-small.pth": 990_162, "mnist-diffusion/DiffusionViT.pth": 208_705,
              "lpips/alex.pth": 1152, "taef2/taef2_decoder.pth": 1_338_499}  # fmt: skip
    for name, count in counts.items():
        assert sum(a.size for a in dict(TorchFile(folder / name)).values()) == count, name


def error_of(path) -> str:
    with pytest.raises(CheckpointError) as error:
        dict(TorchFile(path))
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


X = np.ones((2, 3), np.float32)
SYSTEM = Call(Name("os", "system"), ("echo run > ran",))
HOSTILE = {
    "a call": ({"x": SYSTEM}, "calls 'os.system'"),
    "a builtin": ({"x": Call(Name("builtins", "eval"), ("1",))}, "its pickle calls"),
    "a new object": ({"x": Raw(b"cos\nsystem\n)\x81")}, "an unsupported object ('os.system'"),
    "a TorchScript object with arguments": (
        {"x": Raw(b"c__torch__.a\nB\n" + instructions((1,)) + b"\x81")},
        "an unsupported object ('__torch__.a.B')",
    ),
    "an object of almost TorchScript": (
        {"x": Raw(b"c__torch__x\nB\n)\x81")},
        "an unsupported object",
    ),
    "an object in itself": (
        Raw(b"c__torch__\nB\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb"),
        "are recursive",
    ),
    "a list of an unknown type": (
        {"x": Call(Name("torch.jit._pickle", "build_other"), ([1],))},
        "its pickle calls",
    ),
    "an instance": ({"x": Raw(b"(X\x01\x00\x00\x00aios\nsystem\n")}, "(INST)"),
    "a state": ({"x": Raw(b"cos\nsystem\n}b")}, "damaged"),
    "more than its storage": ({"x": tensor(X, "k", shape=(2, 4))}, "exceeds its storage"),
    "a great offset": ({"x": tensor(X, "k", offset=2**40)}, "exceeds its storage"),
    "a great count": ({"x": tensor(X, "k", count=2**40)}, "not the stated number"),
    "a stride of zero": ({"x": tensor(X, "k", shape=(2**40,), strides=(0,))}, "larger than its"),
    "an empty but huge shape": (
        {"x": tensor(X, "k", shape=(0, 2**62, 2**62), strides=(1, 1, 1))},
        "shape",
    ),
    "no storage": ({"x": tensor(X, "j")}, "has -1 bytes"),
    "a dict in itself": (Raw(b"}q\x00X\x01\x00\x00\x00ah\x00s"), "are recursive"),
    "a far memo": (Raw(b"}r\xff\xff\xff\xff0"), "is damaged"),
    "a great string": (Raw(b"\x8e" + (2**40).to_bytes(8, "little")), "is damaged"),
    "a deep list": (Raw(b"](" * 20_000), "is damaged"),
    "a deep key": (Raw(b"}" + b")" + b"\x85" * 20_000 + b"Ns"), "a key of type tuple"),
    "a list": ([tensor(X, "k")], "a list, not a dict of tensors"),
}


@pytest.mark.parametrize("form", [torch_format.new, torch_format.legacy])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_one_line_errors(tmp_path, monkeypatch, kind, form):
    monkeypatch.chdir(tmp_path)
    tree, message = HOSTILE[kind]
    (tmp_path / "a.pt").write_bytes(form(tree, k=X))
    with hostile.audited() as audit:
        assert message in error_of(tmp_path / "a.pt") or form is torch_format.legacy
    assert not audit.events and audit.peak < 2**25
    assert not (tmp_path / "ran").exists()


def test_invalid_archives_are_errors(tmp_path):
    file = tmp_path / "a.pt"
    good = torch_format.new({"x": X})
    members = {"a/data.pkl": torch_format.dumps({}), "a/data/0": bytes(10**6)}
    file.write_bytes(torch_format.archive(members, compression=8))
    assert "its members state" in error_of(file)
    file.write_bytes(torch_format.archive({"a": b""}))
    assert "without data.pkl" in error_of(file)
    file.write_bytes(good.replace(b"little", b"gibig!"))
    assert "CRC" in error_of(file)
    damaged = bytearray(good)
    damaged[good.index(X.tobytes())] ^= 1
    file.write_bytes(damaged)
    assert "CRC" in error_of(file)
    for end in (0, 1, 100, len(good) - 1):
        file.write_bytes(good[:end])
        assert "not a valid PyTorch file" in error_of(file)
    file.unlink()
    assert "no file" in error_of(file)
