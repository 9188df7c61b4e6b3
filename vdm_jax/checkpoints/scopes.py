"""Old scopes of parameters, replaced by those of `RENAMED_SCOPES` as files are read."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from vdm_jax.checkpoints.tensors import Tensors
from vdm_jax.renames import RENAMED_SCOPES

_OLD = re.compile(rf"\b({'|'.join(RENAMED_SCOPES)})(?=_\d+\b)")


def current_scopes(path: str) -> str:
    """`down_0/HalvingConvolution_0/kernel` as `down_0/DownsampleConv_0/kernel`."""
    return _OLD.sub(lambda match: RENAMED_SCOPES[match[1]], path)


def rename_keys(tree: Any, names: Mapping[str, str]) -> Any:
    """A tree of arrays with the keys of its dicts, at any depth, replaced by those of `names`."""

    def rename(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        return {names.get(key, key): rename_keys(child, names) for key, child in node.items()}

    return jax.tree.map(rename, tree, is_leaf=lambda node: isinstance(node, dict))


class CurrentTensors(Mapping[str, np.ndarray]):
    """Arrays by path, with current scopes."""

    def __init__(self, tensors: Tensors):
        self._tensors, self._names = tensors, {current_scopes(name): name for name in tensors}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[self._names[name]]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self._tensors.shape(self._names[name])

    def dtype(self, name: str) -> np.dtype:
        """The type of an array's elements."""
        return self._tensors.dtype(self._names[name])
