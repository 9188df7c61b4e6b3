"""Layouts: renaming tables between published checkpoints and our trees of parameters."""

import dataclasses
import fnmatch
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from vdm_jax.checkpoints.axes import copy_into, empty, pack
from vdm_jax.checkpoints.rules import Names, Rule, fill, form, numbers, several
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import Held
from vdm_jax.config import nearest
from vdm_jax.types import Params


@dataclasses.dataclass(frozen=True)
class Bond:
    """A rule with its numbers filled in: these tensors are those parameters."""

    rule: Rule
    foreign: tuple[str, ...]
    ours: tuple[str, ...]

    def to_ours(
        self, tensors: Any, shape: tuple[int, ...], dtype: np.dtype
    ) -> tuple[np.ndarray, ...]:
        """The parameters that some of the `tensors` are; one of `shape`, if they are one."""
        in_memory = isinstance(tensors, Held) and not self.rule.axes  # as they are
        if len(self.ours) == 1 and not in_memory:
            # Filled through views in the tensors' own axes, a piece at a time: copied once.
            whole = empty(shape, dtype)
            views = self.rule.to_foreign((whole,))
            if all(np.may_share_memory(view, whole) for view in views):
                for view, name in zip(views, self.foreign, strict=True):
                    for where, piece in tensors.pieces(name):
                        copy_into(view[where], piece)
                return (whole,)
        arrays = tuple(tensors[name] for name in self.foreign)
        return tuple(pack(a.astype(dtype, copy=False)) for a in self.rule.to_ours(arrays))


Templates = Mapping[str, Sequence[tuple[Rule, str]]]
"""The rules of a table, each with a template of one side, by the form of its names."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a published kind of checkpoint names and lays out the parameters of one of our networks.

    files: the published files that it is for, as "repository: file".
    beside: shell patterns of tensors in these files that are no parameters of this network.
    repeats: pairs (name, other): tensors that may be there again under another name.
    """

    name: str
    rules: tuple[Rule, ...]
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    repeats: tuple[tuple[str, str], ...] = ()

    def bonds(self, paths: Iterable[str]) -> Iterator[Bond]:
        """Which tensors the parameters at `paths` (`block_0/in/kernel`) are, each bond once.

        Raises:
          CheckpointError: the table has no rule for a path, or half of what a rule needs is there.
        """
        there = dict.fromkeys(paths)
        done: set[str] = set()
        for path in there:
            if path in done:
                continue
            bond = _bond(path, self._ours)
            if bond is None:
                known = [name for rule in self.rules for name in several(rule.ours)]
                raise CheckpointError(
                    f"layout {self.name} has no tensor for our parameter {path}; "
                    f"{nearest(path, known)}"
                )
            for other in bond.ours:
                if other not in there:
                    raise CheckpointError(
                        f"layout {self.name} makes {', '.join(bond.foreign)} of {path} and "
                        f"{other} together, and there is no {other}; {nearest(other, there)}"
                    )
            done.update(bond.ours)
            yield bond

    @cached_property
    def _foreign(self) -> Templates:
        return _by_form((rule, rule.foreign) for rule in self.rules)

    @cached_property
    def _ours(self) -> Templates:
        return _by_form((rule, rule.ours) for rule in self.rules)

    def is_beside(self, name: str) -> bool:
        """Whether a tensor of these files is no parameter of this network."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.beside)

    def matches(
        self, names: Iterable[str], shape: Callable[[str], tuple[int, ...]] | None = None
    ) -> float:
        """How well a set of tensor names fits, from 0 to 1.

        The share of the tensors that the table knows, or of the table that the tensors use,
        whichever is less; 1 is a fit. Some layouts differ in nothing but how many axes their
        tensors have: `shape` tells these apart, given a name.
        """
        repeated = {name for name, _ in self.repeats}
        names = [n for n in names if not self.is_beside(n) and n not in repeated]
        used = []
        for name in names:
            bond = _bond(name, self._foreign)
            if bond is None:
                continue
            if shape is None or bond.rule.rank in (None, len(shape(name))):
                used.append(bond.rule)
        if not used:
            return 0.0
        return min(len(used) / len(names), len(set(used)) / len(self.rules))

    def to_params(self, tensors: Mapping[str, Any], like: Params, dtype: Any = None) -> Params:
        """Our parameters, from foreign tensors that are read one bond at a time, each once.

        tensors: arrays by name; a lazy mapping need not hold more than one.
        like: arrays or `jax.ShapeDtypeStruct`s. Where one has a sharding, the parameter is put
          there before the next tensor is read; where it has none, it stays on the host.
        dtype: of the parameters; none keeps that of the tensors.

        Raises:
          CheckpointError: the first tensor that is missing, left over or of another shape. Where
            `tensors` can say what `shape` a name has, that is before any is read.
        """
        expected, shapes = Foreign(self, like), flatten(like)
        self.compare(tensors, expected)
        found = {}
        for bond in expected.bonds(tensors):  # as the files have them
            source: Any = tensors
            if not hasattr(tensors, "pieces"):
                source = Held({name: np.asarray(tensors[name]) for name in bond.foreign})
            for name in bond.foreign:
                self._compare_shapes(name, source.shape(name), expected)
            kind = np.dtype(source.dtype(bond.foreign[0]) if dtype is None else dtype)
            moved = bond.to_ours(source, shapes[bond.ours[0]].shape, kind)
            for path, array in zip(bond.ours, moved, strict=True):
                found[path] = _placed(array, getattr(shapes[path], "sharding", None))
        return jax.tree.unflatten(jax.tree.structure(like), [found[path] for path in shapes])

    def compare(self, tensors: Mapping[str, Any], expected: "Foreign") -> None:
        """Refuses names that are missing or left over, other shapes, repetitions that are none."""
        names = dict.fromkeys(tensors)  # to ask a lazy mapping for a name may be to read it
        repeats = {n: other for n, other in self.repeats if n in names and n not in expected}
        unused = [
            name
            for name in names
            if name not in expected and name not in repeats and not self.is_beside(name)
        ]
        for name in expected:
            if name not in names:
                raise CheckpointError(
                    f"layout {self.name}: there is no tensor {name} for {expected.of(name)}; "
                    f"{nearest(name, unused or names)}"
                )
        if unused:
            raise CheckpointError(
                f"layout {self.name}: the tensor {unused[0]} belongs nowhere in this network "
                f"({len(unused)} are left over); {nearest(unused[0], expected)}"
            )
        shape = getattr(tensors, "shape", None)
        if shape is not None:
            for name in expected:
                self._compare_shapes(name, shape(name), expected)
        for name, other in repeats.items():
            if not np.array_equal(np.asarray(tensors[name]), np.asarray(tensors[other])):
                raise CheckpointError(
                    f"layout {self.name}: {name} should repeat {other}: it differs"
                )

    def _compare_shapes(self, name: str, shape: tuple[int, ...], expected: "Foreign") -> None:
        if tuple(shape) != expected.shape(name):
            raise CheckpointError(
                f"layout {self.name}: the tensor {name} is {tuple(shape)}, expected "
                f"{expected.shape(name)} for {expected.of(name)}; "
                "the checkpoint is of a network of another size"
            )

    def to_foreign(self, params: Params) -> "Foreign":
        """The tensors of this layout that our parameters are, each made when it is asked for.

        Raises:
          CheckpointError: a parameter that the layout has no tensor for.
        """
        return Foreign(self, params)


class Foreign(Mapping[str, np.ndarray]):
    """Parameters under the names and in the axes of a layout; what is read is made, not kept."""

    def __init__(self, layout: Layout, params: Params):
        self._leaves = flatten(params)
        self._bonds = {name: b for b in layout.bonds(self._leaves) for name in b.foreign}

    def bonds(self, names: Iterable[str]) -> Iterator[Bond]:
        """Every bond once, in the order in which `names` first has a tensor of it."""
        found = (self._bonds[name] for name in names if name in self._bonds)
        return iter(dict.fromkeys(found))

    def of(self, name: str) -> str:
        """The parameters that a tensor is, or is a part of, with their shapes."""
        paths = self._bonds[name].ours
        return ", ".join(f"{path} {tuple(self._leaves[path].shape)}" for path in paths)

    def __contains__(self, name: object) -> bool:
        return name in self._bonds

    def __iter__(self) -> Iterator[str]:
        return iter(self._bonds)

    def __len__(self) -> int:
        return len(self._bonds)

    def __getitem__(self, name: str) -> np.ndarray:
        return pack(self._made(name, np.asarray))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, for which nothing is computed: leaves may be shapes alone."""
        return self._made(name, lambda x: np.broadcast_to(np.zeros((), np.int8), x.shape)).shape

    def dtype(self, name: str) -> np.dtype:
        """The type of a tensor's elements."""
        return np.dtype(self._leaves[self._bonds[name].ours[0]].dtype)

    def _made(self, name: str, read: Callable[[Any], np.ndarray]) -> np.ndarray:
        bond = self._bonds[name]
        made = bond.rule.to_foreign(tuple(read(self._leaves[path]) for path in bond.ours))
        return made[bond.foreign.index(name)]


def flatten(tree: Params) -> dict[str, Any]:
    """The leaves of a tree by path: `block_0/in/kernel`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): leaf for p, leaf in leaves}


def _by_form(sides: Iterable[tuple[Rule, Names]]) -> Templates:
    found: defaultdict[str, list[tuple[Rule, str]]] = defaultdict(list)
    for rule, names in sides:
        for template in several(names):
            found[form(template)].append((rule, template))
    return dict(found)


def _bond(name: str, templates: Templates) -> Bond | None:
    """The first rule that has a template of this name, with its numbers."""
    for rule, template in templates.get(form(name), ()):
        values = numbers(template, name)
        if values is not None:
            both = (several(rule.foreign), several(rule.ours))
            return Bond(rule, *(tuple(fill(n, values) for n in names) for names in both))
    return None


def _placed(array: np.ndarray, sharding: Any) -> Any:
    """The array on its devices, each given its part; on the host where it has no sharding."""
    if sharding is None:
        return array
    placed = jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
    return jax.block_until_ready(placed)
