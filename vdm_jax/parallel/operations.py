"""Operations of a program as it is written: products of matrices and convolutions, loops unrolled.

What the compiler counts, a loop's body counts once; here it counts as often as it turns.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

AGAIN = "rematted_computation"  # how JAX marks what a backward pass computes again


@dataclasses.dataclass(frozen=True)
class Operations:
    """all: of the whole program. again: of them, those that `remat` repeats to save memory."""

    all: float
    again: float

    @property
    def needed(self) -> float:
        """What the mathematics asks for, by which utilisation is measured."""
        return self.all - self.again


def operations(jaxpr: Any, again: bool = False) -> Operations:
    """Operations of a jaxpr, `jax.jit(f).trace(...).jaxpr`; a product and a sum are two."""
    total, repeated = 0.0, 0.0
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        here = again or AGAIN in str(equation.source_info.name_stack)
        count = _count(equation)
        total, repeated = total + count, repeated + count * here
        inner = [operations(part, here) for part in _inside(equation)]
        if equation.primitive.name == "cond":  # one branch runs, at worst the longest
            inner = [max(inner, key=lambda o: o.all)]
        turns = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += turns * sum(o.all for o in inner)
        repeated += turns * sum(o.again for o in inner)
    return Operations(total, repeated)


def _inside(equation: Any) -> Iterator[Any]:
    """The programs within a step of a program."""
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if hasattr(getattr(part, "jaxpr", part), "eqns"):
                yield part


def _count(equation: Any) -> float:
    name = equation.primitive.name
    if name not in ("dot_general", "conv_general_dilated"):
        return 0.0
    out = equation.outvars[0].aval
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return 2.0 * out.size * math.prod(left[axis] for axis in contracted)
    kernel = equation.invars[1].aval
    features = kernel.shape[equation.params["dimension_numbers"].rhs_spec[0]]
    holes = math.prod(equation.params["lhs_dilation"])  # products with the zeros between
    return 2.0 * out.size * (kernel.size / features) / holes
