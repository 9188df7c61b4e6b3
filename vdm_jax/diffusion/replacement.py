"""Replacement: known frames are fixed while the rest is sampled.

x = (x^a, x^b): x^a is known, x^b is sampled. The sampler does not determine z^a, which is a
function of the noise level alone,

    z^a = alpha x^a + sigma eps^a(logsnr),

with one of the noises of this file, the same at every call for one noise level. Every sampler
works, with any variance, and a corrector gets the z^a of the prediction that it corrects.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from vdm_jax.diffusion.keys import fold_in, normal
from vdm_jax.diffusion.measurements import KnownPixels
from vdm_jax.diffusion.process import Process
from vdm_jax.types import Denoiser, Keys, LogSNR, Video


@runtime_checkable
class KnownNoise(Protocol):
    """The noise eps^a of known pixels at a noise level: unit variance, one `logsnr` for all."""

    def __call__(self, key: Keys, logsnr: LogSNR, shape: tuple[int, ...]) -> Video: ...


@dataclass(frozen=True)
class FixedNoise:
    """One noise for all levels, as in DDIM, whose steps to x^a leave eps unchanged."""

    def __call__(self, key: Keys, logsnr: LogSNR, shape: tuple[int, ...]) -> Video:
        """Noise of this shape."""
        return normal(key, shape, jnp.result_type(logsnr))


@dataclass(frozen=True)
class IndependentNoise:
    """Independent noise at every level: z^a_s ~ q(z_s | x^a). Song et al. 2020; Ho et al. 2022."""

    def __call__(self, key: Keys, logsnr: LogSNR, shape: tuple[int, ...]) -> Video:
        """Noise of this shape."""
        bits = jax.lax.bitcast_convert_type(jnp.asarray(logsnr, jnp.float32), jnp.uint32)
        return normal(fold_in(key, bits), shape, jnp.result_type(logsnr))


@dataclass(frozen=True)
class ForwardProcessNoise:
    """Noise with the joint law of the forward process: z^a_s ~ q(z_s | z_t, x^a), step by step.

    cov(eps_s, eps_t) = exp(-|logsnr_s - logsnr_t| / 2), an Ornstein-Uhlenbeck process in logsnr.
    Its value at any level comes from bisecting [-32, 32] 14 times and drawing each midpoint given
    both ends, so it needs no state; exact for levels more than 0.004 apart.
    """

    def __call__(self, key: Keys, logsnr: LogSNR, shape: tuple[int, ...]) -> Video:
        """Noise of this shape."""
        dtype = jnp.result_type(logsnr)
        at = jnp.clip(logsnr, -_REACH, _REACH)

        def draw(number):
            return normal(fold_in(key, number), shape, dtype)

        def halve(_, cell):
            number, low, high, eps_low, eps_high = cell
            middle = (low + high) / 2
            eps = _bridge(middle, low, high, eps_low, eps_high, draw(number + 1))
            right = at >= middle
            return (
                2 * number + right,
                jnp.where(right, middle, low),
                jnp.where(right, high, middle),
                jnp.where(right, eps, eps_low),
                jnp.where(right, eps_high, eps),
            )

        ends = jnp.asarray(-_REACH, dtype), jnp.asarray(_REACH, dtype)
        root = (jnp.asarray(1), *ends, draw(0), draw(1))  # their correlation is e^-32
        number, low, high, eps_low, eps_high = jax.lax.fori_loop(0, _HALVINGS, halve, root)
        return _bridge(at, low, high, eps_low, eps_high, draw(number + 1))


_REACH, _HALVINGS = 32.0, 14


def _bridge(at, low, high, eps_low, eps_high, noise):
    """The Ornstein-Uhlenbeck process at `low` <= `at` <= `high` given both ends."""
    from_low, to_high, whole = ((low - at) / 2, (at - high) / 2, (low - high) / 2)
    loose_low, loose_high, loose = (-jnp.expm1(2 * a) for a in (from_low, to_high, whole))
    mean = jnp.exp(from_low) * loose_high * eps_low + jnp.exp(to_high) * loose_low * eps_high
    return mean / loose + jnp.sqrt(loose_low * loose_high / loose) * noise


def replacement(
    denoiser: Denoiser, known: KnownPixels, known_noise: KnownNoise, key: Keys, process: Process
) -> Denoiser:
    """The denoiser with z^a replaced by alpha x^a + sigma eps^a and x_hat^a by x^a.

    Song et al. 2020; Ho et al. 2022, section 3.1. The sampler's z^a is not used. Replacement alone
    is biased at any number of steps: x_hat^b is E[x^b | z], not E[x^b | z, x^a]. `key` is one for
    the batch or one per batch element; `logsnr` must be a single value.
    """

    def replaced(z: Video, logsnr: LogSNR) -> Video:
        if jnp.ndim(logsnr):
            raise ValueError(
                f"replacement takes a logsnr of shape (), not {jnp.shape(logsnr)}: all batch "
                "elements must have one noise level"
            )
        noisy = process.diffuse(known.x, logsnr, known_noise(key, logsnr, z.shape).astype(z.dtype))
        return known.put(denoiser(KnownPixels(noisy, known.mask).put(z), logsnr))

    return replaced
