"""Fuzzing of weights files: mutated files, and an audit of code execution and memory."""

import encodings.cp437  # noqa: F401  zipfile imports it on the first read
import io
import json
import re
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bundle_format
import numpy as np
import torch_format
from torch_format import Call, Name, Raw, tensor

from vdm_jax.checkpoints import CheckpointError, read_weights, safetensors
from vdm_jax.checkpoints.tensors import InMemoryTensors

X = np.arange(24, dtype=np.float32).reshape(4, 6)
TREE = {"a.weight": X, "a.bias": np.ones(6, np.float16), "n": np.array(3)}
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**40, 2**62, 2**63, 2**64 - 1)
FORBIDDEN = ("exec", "compile", "os.", "subprocess.", "pickle.", "socket.", "ctypes.", "shutil.")
ALLOWED = ("os.listdir", "os.scandir")


class Audit:
    """The audit events of code execution, and the peak of memory in bytes, inside `audited`."""

    def __init__(self):
        self.events: list[str] = []
        self.peak = 0


_active: list[Audit] = []


def _record(event: str, arguments: tuple) -> None:
    if _active and event.startswith(FORBIDDEN) and event not in ALLOWED:
        _active[-1].events.append(event)


sys.addaudithook(_record)


@contextmanager
def audited() -> Iterator[Audit]:
    """Records code that is run or compiled, and the memory of Python and numpy."""
    audit = Audit()
    tracemalloc.start()
    _active.append(audit)
    try:
        yield audit
    finally:
        _active.pop()
        audit.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def originals(folder: Path) -> dict[str, bytes]:
    """A valid file of each format, by file name."""
    safetensors.write_file(folder / "valid", InMemoryTensors(TREE), metadata={"step": "1"})
    valid = (folder / "valid").read_bytes()
    (folder / "valid").unlink()
    nested = {"epoch": 1, "state_dict": TREE}
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **TREE)
    index = bundle_format.write(folder / "d", TREE, bundle_format.literal)  # the data file stays
    return {
        "a.safetensors": valid,
        "a.pt": torch_format.new(nested),
        "b.pt": torch_format.legacy(nested),
        "c.npz": arrays.getvalue(),
        "d.index": index.read_bytes(),
    }


def flip_bits(random, data: bytes) -> bytes:
    """Flips some bits."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 9)):
        changed[random.integers(len(data))] ^= 1 << random.integers(8)
    return bytes(changed)


def cut(random, data: bytes) -> bytes:
    """Truncates, removes a piece, or repeats a piece."""
    first, last = sorted(random.integers(len(data), size=2))
    piece = data[first:last]
    return [data[:first], data[:first] + data[last:], data[:last] + piece + data[last:]][
        random.integers(3)
    ]


def enlarge(random, data: bytes) -> bytes:
    """Replaces a number by one that is far too large."""
    number = NUMBERS[random.integers(len(NUMBERS))]
    if data[8:9] == b"{" and random.integers(4):  # a number in the header of a safetensors file
        end = 8 + int.from_bytes(data[:8], "little")
        header = data[8:end].decode().rstrip()
        places = list(re.finditer(r"\d+", header))
        place = places[random.integers(len(places))]
        header = (header[: place.start()] + str(number) + header[place.end() :]).encode()
        return len(header).to_bytes(8, "little") + header + data[end:]
    width = int(random.choice([4, 8]))
    at = 0 if data[8:9] == b"{" else int(random.integers(max(len(data) - width, 1)))
    if random.integers(2) and b"PK\x01\x02" in data:  # in the directory of an archive
        at = data.index(b"PK\x01\x02") + int(random.integers(60))
    return data[:at] + (number % 256**width).to_bytes(width, "little") + data[at + width :]


def forge(random, data: bytes) -> bytes:
    """A header, an archive or a pickle that no program writes."""
    names = ("os.system", "builtins.eval", "posix.system", "subprocess.Popen", "torch.load")
    many = (2 ** int(random.integers(30, 63))).to_bytes(8, "little")
    call = Call(Name(*names[random.integers(5)].split(".")), ("echo ran > ran",))
    false = [
        {"count": 2**40},
        {"shape": (2**33, 2**33)},
        {"offset": 2**62},
        {"strides": (0, 2**61)},
    ]
    trees = [
        {"a": call},
        {"a": {"b": [call]}},
        call,
        {"a": Raw(b"cos\nsystem\n(X\x01\x00\x00\x00ao")},
        {"a": Raw(b"\x8c\x02os\x8c\x06system\x93)\x81")},
        {"a": Raw(b"\x82\x01")},
        Raw(b"}q\x00X\x01\x00\x00\x00ah\x00s"),
        Raw(b"}q\x00X\x01\x00\x00\x00ah\x00s" * 40),
        Raw(b"".join(b"}q%cX\x01\x00\x00\x00ah%csX\x01\x00\x00\x00bh%cs" % (i, i - 1, i - 1)
                     for i in range(1, 60))),
        Raw(bytes([random.choice([0x8E, 0x8D, 0x96])]) + many),
        Raw(b"r" + random.bytes(4)),
        Raw(b"(" * int(random.integers(1, 10_000))),
        Raw(b"]" * int(random.integers(1, 10_000))),
        Raw(b"\x8b" + (2**31 - 1).to_bytes(4, "little")),
        {"a": tensor(X, "0", **false[random.integers(4)])},
        {1.5: tensor(X, "0"), ("a",): 1},
    ]  # fmt: skip
    tree = trees[random.integers(len(trees))]
    if data[8:9] != b"{":
        form = torch_format.new if data[:2] == b"PK" else torch_format.legacy
        content = form(tree, **{"0": X})
        if random.integers(3) == 0:
            return flip_bits(random, content)
        return content
    entry = {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 4]}
    headers = [
        {"a": entry},
        {"a": {**entry, "shape": [0, 2**63]}},
        {"a": {**entry, "shape": [1], "data_offsets": [4, 0]}},
        {"a": {**entry, "shape": [1]}, "b": {**entry, "shape": [1]}},
        {"a": {**entry, "shape": [-1]}},
        {"a": {**entry, "dtype": "PICKLE"}},
        {"a": []},
        [entry],
        {"__metadata__": {"a": 1}},
    ]
    text = json.dumps(headers[random.integers(len(headers))]).encode()
    if random.integers(8) == 0:
        text = b"[" * 100_000
    return len(text).to_bytes(8, "little") + text + bytes(4)


def bomb(random, data: bytes) -> bytes:
    """An archive that states a much larger size than it has."""
    pickle = torch_format.dumps({"a": tensor(np.zeros(10**6, np.uint8), "0")})
    members = {"a/data.pkl": pickle, "a/data/0": bytes(10**6)}
    archive = torch_format.archive(members, compression=8)
    if random.integers(2):
        archive = torch_format.archive({"a/data.pkl": pickle, "a/data/0": archive})
    # Optionally with a second directory, and a member that points at the directory.
    repeated = archive[:-22] + archive[archive.index(b"PK\x01\x02") :]
    return archive if random.integers(2) else repeated


MUTATIONS = (flip_bits, cut, enlarge, forge, bomb)


def fuzz(folder: Path, count: int, seed: int = 0) -> Counter:
    """Reads `count` mutated files and counts the outcomes.

    Raises:
      AssertionError: a file, which stays in `folder`, runs code, raises something other than a
        one-line `CheckpointError`, or takes much more memory than its size.
    """
    random, outcomes = np.random.default_rng(seed), Counter()
    kinds = list(originals(folder).items())
    for name, data in kinds:  # a first read, since it imports modules
        (folder / name).write_bytes(data)
        assert attempt(folder / name) == "read"
    for _ in range(count):
        name, data = kinds[random.integers(len(kinds))]
        mutation = MUTATIONS[random.choice(5, p=(0.3, 0.2, 0.2, 0.25, 0.05))]
        path = folder / name
        path.write_bytes(mutation(random, data))
        with audited() as audit:
            outcome = attempt(path)
        assert not audit.events, (path, audit.events)
        assert audit.peak < 2**20 + 64 * path.stat().st_size, (path, audit.peak)
        assert not Path("ran").exists(), path
        outcomes[f"{mutation.__name__}: {outcome}"] += 1
    return outcomes


def attempt(path: Path) -> str:
    """Reads every array of a file: "read", or "refused" after a one-line error."""
    try:
        read = read_weights(path)
        total = 0
        for name in read:
            total = max(total, read[name].nbytes)
        assert total <= 64 * path.stat().st_size, path  # .npz may be compressed
    except CheckpointError as error:
        assert "\n" not in str(error) and len(str(error)) < 500, str(error)
        return "refused"
    return "read"
