"""Results and caches of older versions stay readable and comparable after renamings.

The files in `before_renames/` were written by the version before the first renaming.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from vdm_jax import config
from vdm_jax.metrics.fingerprint import CLASSES, first_names
from vdm_jax.protocols import PROTOCOLS, collect, comparison, measure, protocol_hash
from vdm_jax.protocols.result import read_result
from vdm_jax.renames import RENAMED

OLD = Path(__file__).parent / "before_renames"


def write_noise(folder: Path, count: int, shape: tuple[int, ...], seed: int) -> Path:
    """The clips from which `before_renames/result.json` was measured."""
    folder.mkdir()
    for i in range(count):
        clip = np.random.default_rng((seed, i)).integers(0, 256, shape, np.uint8)
        np.save(folder / f"{i:02d}.npy", clip)
    return folder


def test_an_old_result_is_comparable_with_a_new_one(tmp_path):
    old = read_result(OLD / "result.json")
    protocol = config.from_json(old.protocol)
    real = collect(write_noise(tmp_path / "real", 5, (10, 16, 20, 3), 1))
    samples = collect(write_noise(tmp_path / "samples", 8, (4, 10, 10, 3), 2))
    new = measure(protocol, "new", protocol.generated.clips(samples), real, tmp_path / "cache")
    comparison.check_comparable([old, new])
    assert comparison.groups([new, old]) == [[new, old]]
    assert (new.protocol_hash, new.reference_hash) == (old.protocol_hash, old.reference_hash)
    for name, value in new.values.items():
        assert value == pytest.approx(dict(old.values[name]), rel=1e-6)


def test_hashes_of_protocols_do_not_change_with_names():
    """A new protocol needs no entry; a protocol whose numbers change needs a new one."""
    hashes = json.loads((OLD / "protocol_hashes.json").read_text())
    assert {name: protocol_hash(PROTOCOLS[name]) for name in hashes} == hashes


def test_first_names_invert_the_upgrade():
    tree = json.loads((OLD / "result.json").read_text())["protocol"]
    assert first_names(config.upgrade(tree)) == tree


def test_every_class_has_one_first_name():
    classes = [new for old, new in RENAMED.items() if old.count(".") == 1 and new is not None]
    assert len(CLASSES) == len(classes), "list the oldest name of a class only"
