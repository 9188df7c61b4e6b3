"""Hashes of JSON that do not change when a class or a field is renamed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from vdm_jax.renames import RENAMED

_NAMES = [(old, new) for old, new in reversed(RENAMED.items()) if isinstance(new, str)]
CLASSES = {new: old for old, new in _NAMES if old.count(".") == 1}
"""The first name of each renamed class."""
FIELDS = {
    (old.rpartition(".")[0], new): old.rpartition(".")[2]
    for old, new in _NAMES
    if old.count(".") == 2
}
"""The first name of each renamed field, by class and present name."""


def fingerprint(record: Any) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a record's canonical JSON.

    Classes and fields are hashed under their first names, so that results and cached features of an
    older version stay comparable after a renaming.
    """
    tree = first_names(record)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def first_names(tree: Any) -> Any:
    """The inverse of `config.upgrade`: a tree as JSON under the first names of `RENAMED`."""
    if isinstance(tree, list | tuple):
        return [first_names(child) for child in tree]
    if not isinstance(tree, Mapping):
        return tree
    kind = str(tree.get("class", ""))
    renamed = {FIELDS.get((kind, name), name): first_names(value) for name, value in tree.items()}
    return {**renamed, "class": CLASSES.get(kind, kind)} if kind else renamed
