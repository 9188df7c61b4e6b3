"""Noise: the unit-variance Gaussian that sampling starts from (see `Process.prior_sample`).

Frames of a video are similar, and their noises may be correlated: each frame's noise remains a
standard normal image. Ge et al. 2023 (Preserve Your Own Correlation); axis 1 is frames.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from vdm_jax.diffusion.keys import normal, split
from vdm_jax.types import Keys, Video


@runtime_checkable
class Noise(Protocol):
    """Draws noise of unit variance of the given shape [b f h w c]."""

    def __call__(self, key: Keys, shape: tuple[int, ...]) -> Video: ...


@dataclass(frozen=True)
class Independent:
    """Independent noise for every pixel of every frame."""

    def __call__(self, key: Keys, shape: tuple[int, ...]) -> Video:
        """Noise of this shape."""
        return normal(key, shape)


@dataclass(frozen=True)
class Mixed:
    """(alpha shared + own_i) / sqrt(1 + alpha^2).

    The correlation of any two frames is alpha^2 / (1 + alpha^2).
    """

    alpha: float = 1.0

    def __post_init__(self):
        _require_non_negative(self, self.alpha)

    def __call__(self, key: Keys, shape: tuple[int, ...]) -> Video:
        """Noise of this shape."""
        shared_key, own_key = split(key)
        batch, _, *rest = shape
        shared = normal(shared_key, (batch, 1, *rest))
        return (self.alpha * shared + normal(own_key, shape)) / _norm(self.alpha)


@dataclass(frozen=True)
class Progressive:
    """eps_i = (alpha eps_{i-1} + own_i) / sqrt(1 + alpha^2): correlation rho^|i-j| of frames i, j.

    rho = alpha / sqrt(1 + alpha^2).
    """

    alpha: float = 2.0

    def __post_init__(self):
        _require_non_negative(self, self.alpha)

    def __call__(self, key: Keys, shape: tuple[int, ...]) -> Video:
        """Noise of this shape."""
        own = jnp.moveaxis(normal(key, shape), 1, 0)

        def step(previous, own):
            eps = (self.alpha * previous + own) / _norm(self.alpha)
            return eps, eps

        _, after = jax.lax.scan(step, own[0], own[1:])
        return jnp.moveaxis(jnp.concatenate([own[:1], after]), 0, 1)


def _norm(alpha: float) -> float:
    return (1 + alpha**2) ** 0.5


def _require_non_negative(noise: Noise, alpha: float) -> None:
    if alpha < 0:
        raise ValueError(f"{type(noise).__name__}: alpha={alpha} must not be negative; 0 is off")
