"""Files of weights that lie, by the thousand, and a watch over what reading them does."""

import encodings.cp437  # noqa: F401  read names of zip files, and imported only then
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
from vdm_jax.checkpoints.tensors import Held

X = np.arange(24, dtype=np.float32).reshape(4, 6)
TREE = {"a.weight": X, "a.bias": np.ones(6, np.float16), "n": np.array(3)}
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**40, 2**62, 2**63, 2**64 - 1)
FORBIDDEN = ("exec", "compile", "os.", "subprocess.", "pickle.", "socket.", "ctypes.", "shutil.")
ALLOWED = ("os.listdir", "os.scandir")


class Watch:
    """What happened while somebody watched: audit events of code, and the most memory held."""

    def __init__(self):
        self.events: list[str] = []
        self.peak = 0


_watching: list[Watch] = []


def _hear(event: str, arguments: tuple) -> None:
    if _watching and event.startswith(FORBIDDEN) and event not in ALLOWED:
        _watching[-1].events.append(event)


sys.addaudithook(_hear)


@contextmanager
def watched() -> Iterator[Watch]:
    """Watches this process: code that is run or compiled, and memory of Python and numpy."""
    watch = Watch()
    tracemalloc.start()
    _watching.append(watch)
    try:
        yield watch
    finally:
        _watching.pop()
        watch.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def originals(folder: Path) -> dict[str, bytes]:
    """One honest file of each kind by its suffix."""
    safetensors.write_file(folder / "honest", Held(TREE), metadata={"step": "1"})
    honest = (folder / "honest").read_bytes()
    (folder / "honest").unlink()
    nested = {"epoch": 1, "state_dict": TREE}
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **TREE)
    index = bundle_format.write(folder / "d", TREE, bundle_format.literal)  # its data stay
    return {
        "a.safetensors": honest,
        "a.pt": torch_format.new(nested),
        "b.pt": torch_format.old(nested),
        "c.npz": arrays.getvalue(),
        "d.index": index.read_bytes(),
    }


def flipped(random, data: bytes) -> bytes:
    """A few bits turned over."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 9)):
        changed[random.integers(len(data))] ^= 1 << random.integers(8)
    return bytes(changed)


def shortened(random, data: bytes) -> bytes:
    """Cut off somewhere, or with a piece missing, or with a piece too many."""
    first, last = sorted(random.integers(len(data), size=2))
    piece = data[first:last]
    return [data[:first], data[:first] + data[last:], data[:last] + piece + data[last:]][
        random.integers(3)
    ]


def huge(random, data: bytes) -> bytes:
    """A number somewhere that is far too large."""
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


def strange(random, data: bytes) -> bytes:
    """A header, an archive or a pickle that no honest program writes."""
    names = ("os.system", "builtins.eval", "posix.system", "subprocess.Popen", "torch.load")
    many = (2 ** int(random.integers(30, 63))).to_bytes(8, "little")
    call = Call(Name(*names[random.integers(5)].split(".")), ("echo ran > ran",))
    lies = [{"count": 2**40}, {"shape": (2**33, 2**33)}, {"offset": 2**62}, {"strides": (0, 2**61)}]
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
        {"a": tensor(X, "0", **lies[random.integers(4)])},
        {1.5: tensor(X, "0"), ("a",): 1},
    ]  # fmt: skip
    tree = trees[random.integers(len(trees))]
    if data[8:9] != b"{":
        form = torch_format.new if data[:2] == b"PK" else torch_format.old
        made = form(tree, **{"0": X})
        if random.integers(3) == 0:
            return flipped(random, made)
        return made
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


def compressed(random, data: bytes) -> bytes:
    """An archive that claims to hold more than it does."""
    pickle = torch_format.pickled({"a": tensor(np.zeros(10**6, np.uint8), "0")})
    members = {"a/data.pkl": pickle, "a/data/0": bytes(10**6)}
    bomb = torch_format.archive(members, compression=8)
    if random.integers(2):
        bomb = torch_format.archive({"a/data.pkl": pickle, "a/data/0": bomb})
    # The directory once more, and a member that points at the directory.
    return bomb if random.integers(2) else bomb[:-22] + bomb[bomb.index(b"PK\x01\x02") :]


MUTATIONS = (flipped, shortened, huge, strange, compressed)


def judge(folder: Path, count: int, seed: int = 0) -> Counter:
    """Reads `count` mutated files and counts what came of them.

    Raises AssertionError, with the file left in place, where one runs code, ends in anything but
    an array or one line, or takes much more memory than it is large.
    """
    random, outcomes = np.random.default_rng(seed), Counter()
    kinds = list(originals(folder).items())
    for name, data in kinds:  # importing what reading needs is code that is run, once
        (folder / name).write_bytes(data)
        assert attempt(folder / name) == "read"
    for _ in range(count):
        name, data = kinds[random.integers(len(kinds))]
        mutation = MUTATIONS[random.choice(5, p=(0.3, 0.2, 0.2, 0.25, 0.05))]
        path = folder / name
        path.write_bytes(mutation(random, data))
        with watched() as watch:
            outcome = attempt(path)
        assert not watch.events, (path, watch.events)
        assert watch.peak < 2**20 + 64 * path.stat().st_size, (path, watch.peak)
        assert not Path("ran").exists(), path
        outcomes[f"{mutation.__name__}: {outcome}"] += 1
    return outcomes


def attempt(path: Path) -> str:
    """Reads every array of a file: "read", or "refused" in one line."""
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
