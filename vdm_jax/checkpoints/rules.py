"""Rules of renaming tables: how foreign tensors correspond to our parameters.

A table is written once and used in both directions. A rule has the names of tensors and parameters,
with numbers in braces, and the transposition of the axes in einops' notation:

    Rule("encoder.layers.{i}.fc1.weight", "block_{i}/in/kernel", "o i -> i o")
    Rule(("attn.to_q.weight", "attn.to_k.weight", "attn.to_v.weight"), "qkv/kernel",
         "s o i -> i (s o)")

Several names on one side are stacked along a leading axis `s`. A number may count from the other
end: `up_blocks.{i}` and `up_{3-i}`.
"""

import dataclasses
import functools
import re
from collections.abc import Mapping
from typing import Any

from einops import rearrange

Names = str | tuple[str, ...]
PLACEHOLDER = re.compile(r"\{(?:(\d+)-)?(\w+)\}")


@dataclasses.dataclass(frozen=True)
class Rule:
    """One correspondence between foreign tensors and our parameters.

    foreign, ours: a name, or names whose arrays are stacked along a leading axis `s`.
    axes: an einops pattern from foreign to ours; empty if both are equal.
    sizes: lengths of axes that the pattern splits, such as `(("k", 12),)`.
    """

    foreign: Names
    ours: Names
    axes: str = ""
    sizes: tuple[tuple[str, int], ...] = ()

    @property
    def rank(self) -> int | None:
        """The number of axes of a foreign tensor; None if `axes` is empty."""
        axes = re.findall(r"\([^)]*\)|\w+", self.axes.partition("->")[0])
        return len(axes) - isinstance(self.foreign, tuple) if axes else None

    def to_ours(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The parameters, from tensors."""
        return self._move(arrays, self.axes, self.ours, self.foreign)

    def to_foreign(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The tensors, from parameters."""
        left, _, right = self.axes.partition("->")
        return self._move(arrays, f"{right} -> {left}", self.foreign, self.ours)

    def _move(self, arrays, pattern, to: Names, source: Names) -> tuple[Any, ...]:
        if not self.axes:
            return arrays
        sizes = dict(self.sizes)
        if "s" in re.findall(r"\w+", self.axes):
            sizes["s"] = max(len(as_tuple(to)), len(as_tuple(source)))
        moved = rearrange(
            list(arrays) if isinstance(source, tuple) else arrays[0], pattern, **sizes
        )
        return tuple(moved) if isinstance(to, tuple) else (moved,)


def as_tuple(names: Names) -> tuple[str, ...]:
    """A name or names as a tuple."""
    return names if isinstance(names, tuple) else (names,)


@functools.cache
def _regex(template: str) -> re.Pattern:
    """The regular expression of a template's names."""
    parts, end = [], 0
    for hole in PLACEHOLDER.finditer(template):
        parts += [re.escape(template[end : hole.start()]), r"(\d+)"]
        end = hole.end()
    return re.compile("".join(parts) + re.escape(template[end:]))


def match_numbers(template: str, name: str) -> dict[str, int] | None:
    """The numbers with which a template gives `name`; None if it cannot."""
    match = _regex(template).fullmatch(name)
    if match is None:
        return None
    values: dict[str, int] = {}
    for (top, letter), digits in zip(PLACEHOLDER.findall(template), match.groups(), strict=True):
        value = int(top) - int(digits) if top else int(digits)
        if value < 0 or values.setdefault(letter, value) != value:
            return None
    return values


def name_form(name: str) -> str:
    """A name or a template with every number 0: equal for a template and all its names."""
    return re.sub(r"\d+", "0", PLACEHOLDER.sub("0", name))


def fill_template(template: str, values: Mapping[str, int]) -> str:
    """The name of a template with these numbers."""
    return PLACEHOLDER.sub(
        lambda hole: str(int(hole[1]) - values[hole[2]] if hole[1] else values[hole[2]]), template
    )


def dense(foreign: Names, ours: str, *, bias: bool = True) -> tuple[Rule, ...]:
    """A dense layer, or several that are fused in ours; torch's `o i` is our `i o`."""
    fused = isinstance(foreign, tuple)
    kernel = Rule(
        _add_suffix(foreign, ".weight"),
        f"{ours}/kernel",
        "s o i -> i (s o)" if fused else "o i -> i o",
    )
    if not bias:
        return (kernel,)
    return (
        kernel,
        Rule(_add_suffix(foreign, ".bias"), f"{ours}/bias", "s o -> (s o)" if fused else ""),
    )


def convolution(foreign: str, ours: str, axes: str = "o i h w -> h w i o") -> tuple[Rule, ...]:
    """A convolution; `o i 1 1 -> i o` for one that is a dense layer of ours."""
    kernel = Rule(f"{foreign}.weight", f"{ours}/kernel", axes)
    return (kernel, Rule(f"{foreign}.bias", f"{ours}/bias"))


def norm(foreign: str, ours: str) -> tuple[Rule, ...]:
    """The scale and the bias of a normalization."""
    return (Rule(f"{foreign}.weight", f"{ours}/scale"), Rule(f"{foreign}.bias", f"{ours}/bias"))


BATCH_NORM = (("weight", "scale"), ("bias", "bias"), ("running_mean", "mean"),
              ("running_var", "variance"))  # fmt: skip


def batch_norm(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A batch norm of torch with its running statistics: `nn.BatchNorm`."""
    return tuple(Rule(f"{foreign}.{name}", f"{ours}/{own}") for name, own in BATCH_NORM)


def _add_suffix(names: Names, end: str) -> Names:
    return tuple(n + end for n in names) if isinstance(names, tuple) else names + end
