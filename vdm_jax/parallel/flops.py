"""Operations of a program as it is written: products of matrices and convolutions, loops unrolled.

Where a compiler counts, the body of a loop counts once; here it counts as often as it turns.
Products with padding are none.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jax.interpreters import partial_eval

AGAIN = "rematted_computation"  # how JAX marks what a backward pass computes again


@dataclasses.dataclass(frozen=True)
class FlopCount:
    """all: of the whole program. again: of them, those that `remat` repeats to save memory."""

    total: float
    rematerialized: float

    @property
    def needed(self) -> float:
        """What the mathematics asks for, by which utilisation is measured."""
        return self.total - self.rematerialized


def count_flops(jaxpr: Any) -> FlopCount:
    """Operations of a jaxpr, `jax.jit(f).trace(...).jaxpr`; a product and a sum are two.

    What nothing is made of is left out, as every compiler does.
    """
    program = jaxpr.jaxpr
    program, _ = partial_eval.dce_jaxpr(program, [True] * len(program.outvars))
    return _operations(program, again=False)


def _operations(jaxpr: Any, again: bool) -> FlopCount:
    total, repeated = 0.0, 0.0
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        here = again or AGAIN in str(equation.source_info.name_stack)
        count = _count(equation)
        total, repeated = total + count, repeated + count * here
        inner = [_operations(part, here) for part in _inside(equation)]
        if equation.primitive.name == "cond":  # one branch runs, at worst the longest
            inner = [max(inner, key=lambda o: o.total)]
        turns = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += turns * sum(o.total for o in inner)
        repeated += turns * sum(o.rematerialized for o in inner)
    return FlopCount(total, repeated)


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
    x, kernel = (variable.aval.shape for variable in equation.invars[:2])
    axes = equation.params["dimension_numbers"]
    sides = zip(
        (x[axis] for axis in axes.lhs_spec[2:]),
        (kernel[axis] for axis in axes.rhs_spec[2:]),
        (out.shape[axis] for axis in axes.out_spec[2:]),
        equation.params["window_strides"],
        equation.params["padding"],
        equation.params["lhs_dilation"],
        equation.params["rhs_dilation"],
        strict=True,
    )
    pairs = math.prod(_pairs(*side) for side in sides)
    batch, features = out.shape[axes.out_spec[0]], out.shape[axes.out_spec[1]]
    return 2.0 * batch * features * kernel[axes.rhs_spec[1]] * pairs


def _pairs(x: int, kernel: int, out: int, stride: int, padding, holes: int, spread: int) -> int:
    """How often, along one side, a place of the kernel meets an element of x: not its padding."""
    at = np.arange(out)[:, None] * stride + np.arange(kernel) * spread - padding[0]
    return int(((at >= 0) & (at <= (x - 1) * holes) & (at % holes == 0)).sum())
