"""Layouts: renaming tables between published checkpoints and our parameters."""

import dataclasses
import fnmatch
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from vdm_jax.checkpoints.rules import Names, Rule, as_tuple, fill_template, match_numbers, name_form
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.tensors import InMemoryTensors, PiecewiseTensors, Tensors
from vdm_jax.checkpoints.transposes import as_contiguous, copy_into, empty_aligned
from vdm_jax.config import nearest
from vdm_jax.types import Params


@dataclasses.dataclass(frozen=True)
class BoundRule:
    """A rule with its numbers filled in.

    rule: the rule.
    foreign, ours: names of the tensors and paths of the parameters.
    """

    rule: Rule
    foreign: tuple[str, ...]
    ours: tuple[str, ...]

    def to_ours(
        self, tensors: Any, shape: tuple[int, ...], dtype: np.dtype
    ) -> tuple[np.ndarray, ...]:
        """The parameters of this rule; `shape` is that of a single parameter."""
        in_memory = isinstance(tensors, InMemoryTensors) and not self.rule.axes  # no copy needed
        if len(self.ours) == 1 and not in_memory:
            # Filled piece by piece through views with the axes of the tensors: one copy.
            whole = empty_aligned(shape, dtype)
            views = self.rule.to_foreign((whole,))
            if all(np.may_share_memory(view, whole) for view in views):
                for view, name in zip(views, self.foreign, strict=True):
                    for where, piece in tensors.pieces(name):
                        copy_into(view[where], piece)
                return (whole,)
        arrays = tuple(tensors[name] for name in self.foreign)
        return tuple(as_contiguous(a.astype(dtype, copy=False)) for a in self.rule.to_ours(arrays))


Templates = Mapping[str, Sequence[tuple[Rule, str]]]
"""The rules of a table, each with a template of one side, by the form of its name."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Names and axes of one of our networks' parameters in a kind of published checkpoint.

    name: for messages.
    rules: the renaming table.
    files: published files with this layout, as "repository: file".
    ignored: shell patterns of tensors in these files that are not parameters of this network.
    duplicates: pairs (name, other): optional tensors that repeat another one.
    """

    name: str
    rules: tuple[Rule, ...]
    files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, str], ...] = ()

    def bind(self, paths: Iterable[str]) -> Iterator[BoundRule]:
        """The rules of the parameters at `paths` (`block_0/in/kernel`), each once.

        Raises:
          CheckpointError: a path without a rule, or a rule with only some of its parameters.
        """
        present = dict.fromkeys(paths)
        done: set[str] = set()
        for path in present:
            if path in done:
                continue
            bound = _bind(path, self._ours)
            if bound is None:
                known = [name for rule in self.rules for name in as_tuple(rule.ours)]
                raise CheckpointError(
                    f"layout {self.name} has no tensor for our parameter {path}; "
                    f"{nearest(path, known)}"
                )
            for other in bound.ours:
                if other not in present:
                    raise CheckpointError(
                        f"layout {self.name} makes {', '.join(bound.foreign)} from {path} and "
                        f"{other} together, but there is no {other}; {nearest(other, present)}"
                    )
            done.update(bound.ours)
            yield bound

    @cached_property
    def _foreign(self) -> Templates:
        return _by_form((rule, rule.foreign) for rule in self.rules)

    @cached_property
    def _ours(self) -> Templates:
        return _by_form((rule, rule.ours) for rule in self.rules)

    def is_ignored(self, name: str) -> bool:
        """Whether a tensor of these files is not a parameter of this network."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.ignored)

    def match_score(
        self, names: Iterable[str], shape: Callable[[str], tuple[int, ...]] | None = None
    ) -> float:
        """How well a set of tensor names matches, from 0 to 1, which is a complete match.

        It is the fraction of the tensors that have a rule, or of the rules that have a tensor,
        whichever is less.

        shape: the shape of a name's tensor; distinguishes layouts that differ only in the number of
          axes.
        """
        duplicates = {name for name, _ in self.duplicates}
        names = [n for n in names if not self.is_ignored(n) and n not in duplicates]
        used = []
        for name in names:
            bound = _bind(name, self._foreign)
            if bound is None:
                continue
            if shape is None or bound.rule.rank in (None, len(shape(name))):
                used.append(bound.rule)
        if not used:
            return 0.0
        return min(len(used) / len(names), len(set(used)) / len(self.rules))

    def to_params(self, tensors: Mapping[str, Any], like: Params, dtype: Any = None) -> Params:
        """Our parameters, from foreign tensors, each of which is read once.

        tensors: arrays by name; a lazy mapping holds one rule's tensors at a time.
        like: arrays or `jax.ShapeDtypeStruct`s. A parameter with a sharding is put on its devices
          before the next tensor is read; one without stays on the host.
        dtype: type of the parameters; None is that of the tensors.

        Raises:
          CheckpointError: a tensor is missing, left over or of another shape. With `Tensors`, this
            is before any is read.
        """
        expected, shapes = ForeignTensors(self, like), flatten(like)
        self.check(tensors, expected)
        arrays = {}
        for bound in expected.bound_rules(tensors):  # in the order of the files
            source: Any = tensors
            if not isinstance(tensors, PiecewiseTensors):
                source = InMemoryTensors({n: np.asarray(tensors[n]) for n in bound.foreign})
            for name in bound.foreign:
                self._check_shape(name, source.shape(name), expected)
            kind = np.dtype(source.dtype(bound.foreign[0]) if dtype is None else dtype)
            moved = bound.to_ours(source, shapes[bound.ours[0]].shape, kind)
            for path, array in zip(bound.ours, moved, strict=True):
                arrays[path] = _put(array, getattr(shapes[path], "sharding", None))
        return jax.tree.unflatten(jax.tree.structure(like), [arrays[path] for path in shapes])

    def check(self, tensors: Mapping[str, Any], expected: "ForeignTensors") -> None:
        """Raises `CheckpointError` for missing or extra names, shapes, and false duplicates."""
        names = dict.fromkeys(tensors)  # `in` may read a tensor of a lazy mapping
        duplicates = {n: other for n, other in self.duplicates if n in names and n not in expected}
        unused = [
            name
            for name in names
            if name not in expected and name not in duplicates and not self.is_ignored(name)
        ]
        for name in expected:
            if name not in names:
                raise CheckpointError(
                    f"layout {self.name}: there is no tensor {name} for {expected.describe(name)}; "
                    f"{nearest(name, unused or names)}"
                )
        if unused:
            raise CheckpointError(
                f"layout {self.name}: the tensor {unused[0]} is no parameter of this network "
                f"({len(unused)} are left over); {nearest(unused[0], expected)}"
            )
        if isinstance(tensors, Tensors):
            for name in expected:
                self._check_shape(name, tensors.shape(name), expected)
        for name, other in duplicates.items():
            if not np.array_equal(np.asarray(tensors[name]), np.asarray(tensors[other])):
                raise CheckpointError(
                    f"layout {self.name}: {name} should equal {other}, but differs"
                )

    def _check_shape(self, name: str, shape: tuple[int, ...], expected: "ForeignTensors") -> None:
        if tuple(shape) != expected.shape(name):
            raise CheckpointError(
                f"layout {self.name}: the tensor {name} is {tuple(shape)}, expected "
                f"{expected.shape(name)} for {expected.describe(name)}; "
                "the checkpoint is of a network of another size"
            )

    def to_foreign(self, params: Params) -> "ForeignTensors":
        """Our parameters as the tensors of this layout, each computed on access.

        Raises:
          CheckpointError: a parameter without a rule.
        """
        return ForeignTensors(self, params)


class ForeignTensors(Mapping[str, np.ndarray]):
    """Parameters under the names and in the axes of a layout, computed on access."""

    def __init__(self, layout: Layout, params: Params):
        self._leaves = flatten(params)
        self._bound = {name: b for b in layout.bind(self._leaves) for name in b.foreign}

    def bound_rules(self, names: Iterable[str]) -> Iterator[BoundRule]:
        """Every rule once, in the order in which `names` first has a tensor of it."""
        return iter(dict.fromkeys(self._bound[name] for name in names if name in self._bound))

    def describe(self, name: str) -> str:
        """The parameters that contain a tensor, with their shapes."""
        paths = self._bound[name].ours
        return ", ".join(f"{path} {tuple(self._leaves[path].shape)}" for path in paths)

    def __contains__(self, name: object) -> bool:
        return name in self._bound

    def __iter__(self) -> Iterator[str]:
        return iter(self._bound)

    def __len__(self) -> int:
        return len(self._bound)

    def __getitem__(self, name: str) -> np.ndarray:
        return as_contiguous(self._compute(name, np.asarray))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without computing it; leaves may be abstract."""
        return self._compute(name, lambda x: np.broadcast_to(np.zeros((), np.int8), x.shape)).shape

    def dtype(self, name: str) -> np.dtype:
        """The type of a tensor's elements."""
        return np.dtype(self._leaves[self._bound[name].ours[0]].dtype)

    def _compute(self, name: str, read: Callable[[Any], np.ndarray]) -> np.ndarray:
        bound = self._bound[name]
        arrays = tuple(read(self._leaves[path]) for path in bound.ours)
        return bound.rule.to_foreign(arrays)[bound.foreign.index(name)]


def flatten(tree: Params) -> dict[str, Any]:
    """The leaves of a tree by path: `block_0/in/kernel`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): leaf for p, leaf in leaves}


def _by_form(sides: Iterable[tuple[Rule, Names]]) -> Templates:
    templates: defaultdict[str, list[tuple[Rule, str]]] = defaultdict(list)
    for rule, names in sides:
        for template in as_tuple(names):
            templates[name_form(template)].append((rule, template))
    return dict(templates)


def _bind(name: str, templates: Templates) -> BoundRule | None:
    """The first rule with a template of this name, with its numbers filled in."""
    for rule, template in templates.get(name_form(name), ()):
        values = match_numbers(template, name)
        if values is not None:
            both = (as_tuple(rule.foreign), as_tuple(rule.ours))
            return BoundRule(
                rule, *(tuple(fill_template(n, values) for n in names) for names in both)
            )
    return None


def _put(array: np.ndarray, sharding: Any) -> Any:
    """The array, sharded over its devices; on the host if `sharding` is None."""
    if sharding is None:
        return array
    sharded = jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
    return jax.block_until_ready(sharded)
