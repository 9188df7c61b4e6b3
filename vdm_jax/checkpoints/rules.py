"""Rules of renaming tables: which foreign tensors are which of our parameters.

A table is written once and read in both directions. A rule says which tensors become which
parameters, by names with numbers in braces, and how the axes move, in einops' notation:

    Rule("encoder.layers.{i}.fc1.weight", "block_{i}/in/kernel", "o i -> i o")
    Rule(("attn.to_q.weight", "attn.to_k.weight", "attn.to_v.weight"), "qkv/kernel",
         "s o i -> i (s o)")

Several names on one side are one array with a leading axis `s`. A number may be counted from the
other end: `up_blocks.{i}` and `up_{3-i}`.
"""

import dataclasses
import functools
import re
from collections.abc import Mapping
from typing import Any

from einops import rearrange

Names = str | tuple[str, ...]
HOLE = re.compile(r"\{(?:(\d+)-)?(\w+)\}")


@dataclasses.dataclass(frozen=True)
class Rule:
    """Which foreign tensors are which parameters, and how the axes of one become the other's.

    foreign, ours: a name, or names whose arrays are stacked along a leading axis `s`.
    axes: an einops pattern from foreign to ours; none where both are alike.
    sizes: the lengths of axes that the pattern takes apart, such as `(("k", 12),)`.
    """

    foreign: Names
    ours: Names
    axes: str = ""
    sizes: tuple[tuple[str, int], ...] = ()

    @property
    def rank(self) -> int | None:
        """How many axes a foreign tensor of this rule has; None where the rule does not say."""
        axes = re.findall(r"\([^)]*\)|\w+", self.axes.partition("->")[0])
        return len(axes) - isinstance(self.foreign, tuple) if axes else None

    def to_ours(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The parameters that some tensors are."""
        return self._move(arrays, self.axes, self.ours, self.foreign)

    def to_foreign(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The tensors that some parameters are."""
        left, _, right = self.axes.partition("->")
        return self._move(arrays, f"{right} -> {left}", self.foreign, self.ours)

    def _move(self, arrays, pattern, to: Names, source: Names) -> tuple[Any, ...]:
        if not self.axes:
            return arrays
        sizes = dict(self.sizes)
        if "s" in re.findall(r"\w+", self.axes):
            sizes["s"] = max(len(several(to)), len(several(source)))
        moved = rearrange(
            list(arrays) if isinstance(source, tuple) else arrays[0], pattern, **sizes
        )
        return tuple(moved) if isinstance(to, tuple) else (moved,)


def several(names: Names) -> tuple[str, ...]:
    """One name or several, as several."""
    return names if isinstance(names, tuple) else (names,)


@functools.cache
def _expression(template: str) -> re.Pattern:
    """What the names of a template look like."""
    parts, end = [], 0
    for hole in HOLE.finditer(template):
        parts += [re.escape(template[end : hole.start()]), r"(\d+)"]
        end = hole.end()
    return re.compile("".join(parts) + re.escape(template[end:]))


def numbers(template: str, name: str) -> dict[str, int] | None:
    """The numbers that make `name` of a template; None if nothing does."""
    found = _expression(template).fullmatch(name)
    if found is None:
        return None
    values: dict[str, int] = {}
    for (top, letter), digits in zip(HOLE.findall(template), found.groups(), strict=True):
        value = int(top) - int(digits) if top else int(digits)
        if value < 0 or values.setdefault(letter, value) != value:
            return None
    return values


def form(name: str) -> str:
    """A name or a template with every number 0: alike for a template and all names of it."""
    return re.sub(r"\d+", "0", HOLE.sub("0", name))


def fill(template: str, values: Mapping[str, int]) -> str:
    """The name that a template is with these numbers."""
    return HOLE.sub(
        lambda hole: str(int(hole[1]) - values[hole[2]] if hole[1] else values[hole[2]]), template
    )


def dense(foreign: Names, ours: str, *, bias: bool = True) -> tuple[Rule, ...]:
    """A linear map, or several that are one of ours: torch's `o i` is our `i o`."""
    fused = isinstance(foreign, tuple)
    kernel = Rule(
        _ending(foreign, ".weight"), f"{ours}/kernel", "s o i -> i (s o)" if fused else "o i -> i o"
    )
    if not bias:
        return (kernel,)
    return (
        kernel,
        Rule(_ending(foreign, ".bias"), f"{ours}/bias", "s o -> (s o)" if fused else ""),
    )


def convolution(foreign: str, ours: str, axes: str = "o i h w -> h w i o") -> tuple[Rule, ...]:
    """A convolution; `o i 1 1 -> i o` for one that is a linear map of ours."""
    kernel = Rule(f"{foreign}.weight", f"{ours}/kernel", axes)
    return (kernel, Rule(f"{foreign}.bias", f"{ours}/bias"))


def norm(foreign: str, ours: str) -> tuple[Rule, ...]:
    """The scale and the bias of a normalisation."""
    return (Rule(f"{foreign}.weight", f"{ours}/scale"), Rule(f"{foreign}.bias", f"{ours}/bias"))


BATCH_NORM = (("weight", "scale"), ("bias", "bias"), ("running_mean", "mean"),
              ("running_var", "variance"))  # fmt: skip


def batch_norm(foreign: str, ours: str) -> tuple[Rule, ...]:
    """A batch norm of torch, with what it gathered: `nn.BatchNorm`."""
    return tuple(Rule(f"{foreign}.{name}", f"{ours}/{own}") for name, own in BATCH_NORM)


def _ending(names: Names, end: str) -> Names:
    return tuple(n + end for n in names) if isinstance(names, tuple) else names + end
