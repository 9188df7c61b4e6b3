"""Replacement: frames that are known stay known while the rest is sampled.

x = (x^a, x^b), x^a known, x^b wanted. z^a is not left to the sampler. It is a function of the
noise level alone,

    z^a = alpha x^a + sigma eps^a(logsnr),

by one of the paths of this file, the same at every call for one noise level. So every sampler will
do, with any variance, and a corrector sees the z^a of the prediction that it corrects.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from vdm_jax.diffusion.keys import fold_in, normal
from vdm_jax.diffusion.measurements import KnownPixels
from vdm_jax.diffusion.process import Process
from vdm_jax.types import Denoiser, Key, LogSNR, Video


@runtime_checkable
class KnownNoise(Protocol):
    """The noise eps^a of known pixels at a noise level: unit variance, one `logsnr` for all."""

    def __call__(self, key: Key, logsnr: LogSNR, shape: tuple[int, ...]) -> Video: ...


@dataclass(frozen=True)
class FixedNoise:
    """One noise for all levels: the path of DDIM, whose steps to x^a keep eps."""

    def __call__(self, key: Key, logsnr: LogSNR, shape: tuple[int, ...]) -> Video:
        """Draw."""
        return normal(key, shape, jnp.result_type(logsnr))


@dataclass(frozen=True)
class IndependentNoise:
    """Independent noise at every level: z^a_s ~ q(z_s | x^a). Song et al. 2020; Ho et al. 2022."""

    def __call__(self, key: Key, logsnr: LogSNR, shape: tuple[int, ...]) -> Video:
        """Draw."""
        bits = jax.lax.bitcast_convert_type(jnp.asarray(logsnr, jnp.float32), jnp.uint32)
        return normal(fold_in(key, bits), shape, jnp.result_type(logsnr))


@dataclass(frozen=True)
class ForwardProcessNoise:
    """Noise with the joint law of the forward process: z^a_s ~ q(z_s | z_t, x^a), step by step.

    cov(eps_s, eps_t) = exp(-|logsnr_s - logsnr_t| / 2), an Ornstein-Uhlenbeck process in logsnr.
    Its value at any level is found by halving [-32, 32] 14 times and drawing each middle given both
    ends, so that no state is carried; exact for levels more than 0.004 apart.
    """

    def __call__(self, key: Key, logsnr: LogSNR, shape: tuple[int, ...]) -> Video:
        """Draw."""
        dtype = jnp.result_type(logsnr)
        at = jnp.clip(logsnr, -_REACH, _REACH)

        def draw(number):
            return normal(fold_in(key, number), shape, dtype)

        def halve(_, cell):
            number, low, high, eps_low, eps_high = cell
            middle = (low + high) / 2
            eps = _between(middle, low, high, eps_low, eps_high, draw(number + 1))
            right = at >= middle
            return (
                2 * number + right,
                jnp.where(right, middle, low),
                jnp.where(right, high, middle),
                jnp.where(right, eps, eps_low),
                jnp.where(right, eps_high, eps),
            )

        ends = jnp.asarray(-_REACH, dtype), jnp.asarray(_REACH, dtype)
        root = (jnp.asarray(1), *ends, draw(0), draw(1))  # correlated by e^-32, that is, not
        number, low, high, eps_low, eps_high = jax.lax.fori_loop(0, _HALVINGS, halve, root)
        return _between(at, low, high, eps_low, eps_high, draw(number + 1))


_REACH, _HALVINGS = 32.0, 14


def _between(at, low, high, eps_low, eps_high, noise):
    """The process at `low` <= `at` <= `high` given both ends."""
    from_low, to_high, whole = ((low - at) / 2, (at - high) / 2, (low - high) / 2)
    loose_low, loose_high, loose = (-jnp.expm1(2 * a) for a in (from_low, to_high, whole))
    mean = jnp.exp(from_low) * loose_high * eps_low + jnp.exp(to_high) * loose_low * eps_high
    return mean / loose + jnp.sqrt(loose_low * loose_high / loose) * noise


def replacement(
    denoiser: Denoiser, known: KnownPixels, known_noise: KnownNoise, key: Key, process: Process
) -> Denoiser:
    """Show the denoiser alpha x^a + sigma eps^a for z^a, and say x^a for x_hat^a.

    Song et al. 2020; Ho et al. 2022, section 3.1. The z^a of the sampler is not looked at. On its
    own it is biased, however many steps there are: x_hat^b is E[x^b | z], not E[x^b | z, x^a].
    `key` is one for the batch or one a row; `logsnr` must be one value for all rows.
    """

    def replaced(z: Video, logsnr: LogSNR) -> Video:
        if jnp.ndim(logsnr):
            raise ValueError(f"replacement is at one noise level, not at {jnp.shape(logsnr)}")
        noisy = process.diffuse(known.x, logsnr, known_noise(key, logsnr, z.shape).astype(z.dtype))
        return known.put(denoiser(KnownPixels(noisy, known.mask).put(z), logsnr))

    return replaced
