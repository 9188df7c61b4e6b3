"""Activations as dataclasses, so that the fields of a network can name them."""

import dataclasses

import jax
from jaxtyping import Array, Float


@dataclasses.dataclass(frozen=True)
class GELU:
    """`h Phi(h)`, with the error function. (Hendrycks & Gimpel 2016)"""

    def __call__(self, h: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.nn.gelu(h, approximate=False)


@dataclasses.dataclass(frozen=True)
class TanhGELU:
    """`0.5 h (1 + tanh(sqrt(2/pi) (h + 0.044715 h^3)))`. (Hendrycks & Gimpel 2016)"""

    def __call__(self, h: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.nn.gelu(h, approximate=True)


@dataclasses.dataclass(frozen=True)
class QuickGELU:
    """`h sigmoid(1.702 h)`, as in CLIP. (Hendrycks & Gimpel 2016)"""

    def __call__(self, h: Float[Array, "..."]) -> Float[Array, "..."]:
        return h * jax.nn.sigmoid(1.702 * h)


@dataclasses.dataclass(frozen=True)
class ReLU:
    """`max(h, 0)`."""

    def __call__(self, h: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.nn.relu(h)


Activation = GELU | TanhGELU | QuickGELU | ReLU
