"""Marginals q(z | x) = N(alpha x, sigma^2 I): logsnr = log(alpha^2 / sigma^2) -> alpha, sigma.

logsnr fixes the ratio alpha / sigma; a marginal only chooses the scale of z. Every formula of this
package is in alpha, sigma and logsnr, and holds for all marginals.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from vdm_jax.types import LogSNR


@runtime_checkable
class Marginal(Protocol):
    """q(z | x) = N(alpha x, sigma^2 I) at a given logsnr."""

    def alpha_sigma(self, logsnr: LogSNR) -> tuple[LogSNR, LogSNR]: ...


@dataclass(frozen=True)
class VariancePreserving:
    """alpha^2 = sigmoid(logsnr), sigma^2 = sigmoid(-logsnr); unit-variance x gives unit-variance z.

    Kingma et al. 2021; Ho et al. 2022, section 2.
    """

    def alpha_sigma(self, logsnr: LogSNR) -> tuple[LogSNR, LogSNR]:
        """Scale of the data and of the noise, each shaped like `logsnr`."""
        return jnp.sqrt(jax.nn.sigmoid(logsnr)), jnp.sqrt(jax.nn.sigmoid(-logsnr))


@dataclass(frozen=True)
class VarianceExploding:
    """alpha = 1, sigma = exp(-logsnr / 2): the sigma of Karras et al. 2022 (EDM)."""

    def alpha_sigma(self, logsnr: LogSNR) -> tuple[LogSNR, LogSNR]:
        """Scale of the data and of the noise, each shaped like `logsnr`."""
        return jnp.ones_like(logsnr), jnp.exp(-logsnr / 2)


@dataclass(frozen=True)
class LinearInterpolant:
    """alpha = sigmoid(logsnr / 2), sigma = sigmoid(-logsnr / 2), so that alpha + sigma = 1.

    The linear path z = (1 - t) x + t eps of rectified flow, Liu et al. 2022.
    """

    def alpha_sigma(self, logsnr: LogSNR) -> tuple[LogSNR, LogSNR]:
        """Scale of the data and of the noise, each shaped like `logsnr`."""
        return jax.nn.sigmoid(logsnr / 2), jax.nn.sigmoid(-logsnr / 2)


def expand(a: Array, like: Array) -> Array:
    """`a` with singleton axes appended until it has the axes of `like`.

    `a` holds one value, one per batch element [b], or one per frame [b f].

    Raises:
      ValueError: the axes of `a` are not the leading axes of `like`.
    """
    a = jnp.asarray(a)
    fits = a.ndim <= like.ndim and all(
        n in (1, m) for n, m in zip(a.shape, like.shape, strict=False)
    )
    if not fits:
        raise ValueError(
            f"an array of shape {a.shape} does not match the leading axes of a video of shape "
            f"{like.shape}: give one value, one per batch element [b] or one per frame [b f]"
        )
    return a.reshape(a.shape + (1,) * (like.ndim - a.ndim))
