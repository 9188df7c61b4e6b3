"""Parameterizations: affine maps from a network's output to x at given z, alpha, sigma.

All arguments broadcast against each other; `Process` shapes alpha and sigma. The formulas hold for
every marginal: where a paper assumes alpha^2 + sigma^2 = 1, z is rescaled first.
`gain` is |dx / doutput|, so that  w ||x - x_hat||^2 = w gain^2 ||output - target||^2.  The right
side avoids the cancellation in x_hat at very high and very low noise.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array

from vdm_jax.types import Video


@runtime_checkable
class Parameterization(Protocol):
    """Network output <-> x, given z = alpha x + sigma eps."""

    def x(self, output: Video, z: Video, alpha: Array, sigma: Array) -> Video: ...
    def output(self, x: Video, z: Video, alpha: Array, sigma: Array) -> Video: ...
    def input(self, z: Video, alpha: Array, sigma: Array) -> Video: ...
    def gain(self, alpha: Array, sigma: Array) -> Array: ...


@dataclass(frozen=True)
class X:
    """The output is x."""

    def x(self, output: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """x of an output."""
        return output

    def output(self, x: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """The output for x."""
        return x

    def input(self, z: Video, alpha: Array, sigma: Array) -> Video:
        """The network's input: z."""
        return z

    def gain(self, alpha: Array, sigma: Array) -> Array:
        """|dx / doutput| = 1."""
        return jnp.ones_like(alpha)


@dataclass(frozen=True)
class Eps:
    """The output is eps: x = (z - sigma eps) / alpha. Ho et al. 2020.

    Its gain sigma / alpha is 2e4 at logsnr -20, too large for few-step samplers.
    """

    def x(self, output: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """x of an output."""
        return (z - sigma * output) / alpha

    def output(self, x: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """The output for x."""
        return (z - alpha * x) / sigma

    def input(self, z: Video, alpha: Array, sigma: Array) -> Video:
        """The network's input: z."""
        return z

    def gain(self, alpha: Array, sigma: Array) -> Array:
        """|dx / doutput| = sigma / alpha."""
        return sigma / alpha


@dataclass(frozen=True)
class V:
    """The output is v = alpha eps - sigma x (with alpha^2 + sigma^2 = 1): x = alpha z - sigma v.

    Salimans & Ho 2022. Other marginals divide z, alpha and sigma by n = hypot(alpha, sigma).
    """

    def x(self, output: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """x of an output."""
        n = jnp.hypot(alpha, sigma)
        return (alpha / n * z - sigma * output) / n

    def output(self, x: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """The output for x."""
        n = jnp.hypot(alpha, sigma)
        return (alpha / n * z - n * x) / sigma

    def input(self, z: Video, alpha: Array, sigma: Array) -> Video:
        """The network's input: z."""
        return z

    def gain(self, alpha: Array, sigma: Array) -> Array:
        """|dx / doutput| = sigma / hypot(alpha, sigma)."""
        return sigma / jnp.hypot(alpha, sigma)


@dataclass(frozen=True)
class Velocity:
    """The output is u = eps - x: x = (z - sigma u) / (alpha + sigma).

    Rectified flow, Liu et al. 2022. On the linear path u is the velocity dz/dt: x = z - sigma u.
    """

    def x(self, output: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """x of an output."""
        return (z - sigma * output) / (alpha + sigma)

    def output(self, x: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """The output for x."""
        return (z - (alpha + sigma) * x) / sigma

    def input(self, z: Video, alpha: Array, sigma: Array) -> Video:
        """The network's input: z."""
        return z

    def gain(self, alpha: Array, sigma: Array) -> Array:
        """|dx / doutput| = sigma / (alpha + sigma)."""
        return sigma / (alpha + sigma)


@dataclass(frozen=True)
class EDM:
    """x = c_skip X + c_out F(c_in X), X = z / alpha. Karras et al. 2022 (EDM), eq. 7 and table 1.

    With n = hypot(sigma, alpha sigma_data): c_skip X = alpha sigma_data^2 z / n^2,
    c_out = sigma sigma_data / n, c_in X = z / n.
    """

    sigma_data: float = 0.5

    def __post_init__(self):
        if not self.sigma_data > 0:
            raise ValueError(f"EDM: sigma_data={self.sigma_data} must be positive")

    def _n(self, alpha: Array, sigma: Array) -> Array:
        return jnp.hypot(sigma, alpha * self.sigma_data)

    def x(self, output: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """x of an output."""
        n = self._n(alpha, sigma)
        return (alpha * self.sigma_data**2 / n * z + sigma * self.sigma_data * output) / n

    def output(self, x: Video, z: Video, alpha: Array, sigma: Array) -> Video:
        """The output for x."""
        n = self._n(alpha, sigma)
        return (n * x - alpha * self.sigma_data**2 / n * z) / (sigma * self.sigma_data)

    def input(self, z: Video, alpha: Array, sigma: Array) -> Video:
        """The network's input: c_in X, of variance 1 for data of variance sigma_data^2."""
        return z / self._n(alpha, sigma)

    def gain(self, alpha: Array, sigma: Array) -> Array:
        """|dx / doutput| = c_out."""
        return sigma * self.sigma_data / self._n(alpha, sigma)
