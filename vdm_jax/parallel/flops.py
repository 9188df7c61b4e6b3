"""FLOPs of a jaxpr: matrix products and convolutions, times the trip counts of loops.

XLA's own count takes the body of a loop once. Products with padding are not counted.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jax.interpreters import partial_eval

REMAT_SCOPE = "rematted_computation"  # JAX's name scope of what `remat` recomputes


@dataclasses.dataclass(frozen=True)
class FlopCount:
    """FLOPs of a program.

    total: all of them.
    rematerialized: those that `remat` recomputes in the backward pass to save memory.
    """

    total: float
    rematerialized: float

    @property
    def without_remat(self) -> float:
        """The FLOPs that the mathematics needs, the numerator of MFU."""
        return self.total - self.rematerialized


def count_flops(jaxpr: Any) -> FlopCount:
    """FLOPs of a jaxpr, `jax.jit(f).trace(...).jaxpr`; a multiply-add counts two.

    Dead code is not counted.
    """
    program = jaxpr.jaxpr
    program, _ = partial_eval.dce_jaxpr(program, [True] * len(program.outvars))
    return _count_jaxpr(program, remat=False)


def _count_jaxpr(jaxpr: Any, remat: bool) -> FlopCount:
    total, repeated = 0.0, 0.0
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        here = remat or REMAT_SCOPE in str(equation.source_info.name_stack)
        count = _count_equation(equation)
        total, repeated = total + count, repeated + count * here
        inner = [_count_jaxpr(body, here) for body in _bodies(equation)]
        if equation.primitive.name == "cond":  # one branch runs: at worst the longest
            inner = [max(inner, key=lambda o: o.total)]
        trips = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += trips * sum(o.total for o in inner)
        repeated += trips * sum(o.rematerialized for o in inner)
    return FlopCount(total, repeated)


def _bodies(equation: Any) -> Iterator[Any]:
    """The jaxprs inside an equation: bodies of loops, branches, calls."""
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if hasattr(getattr(item, "jaxpr", item), "eqns"):
                yield item


def _count_equation(equation: Any) -> float:
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


def _pairs(
    x: int, kernel: int, out: int, stride: int, padding, x_dilation: int, kernel_dilation: int
) -> int:
    """The products along one spatial axis of a convolution: kernel taps on elements of x."""
    at = np.arange(out)[:, None] * stride + np.arange(kernel) * kernel_dilation - padding[0]
    return int(((at >= 0) & (at <= (x - 1) * x_dilation) & (at % x_dilation == 0)).sum())
