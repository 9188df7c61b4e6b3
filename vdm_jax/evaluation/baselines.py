"""Denoisers fitted in closed form, baselines for trained ones."""

from collections.abc import Iterable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdm_jax import diffusion
from vdm_jax.types import LogSNR, Video


@dataclass(frozen=True)
class Spectrum:
    """Mean clip and power spectrum of a data set, channel by channel.

    White noise of variance sigma^2 has the power sigma^2 everywhere.

    mean: the mean clip.
    power: E|F(x - mean)|^2 with F the orthonormal FFT over f, h, w.
    """

    mean: Float[np.ndarray, "f h w c"]
    power: Float[np.ndarray, "f h w c"]

    @classmethod
    def of(cls, clips: Iterable[Float[np.ndarray, "f h w c"]]) -> "Spectrum":
        """Mean and unbiased power of the clips, accumulated one at a time in float64."""
        count, total, energy = 0, np.zeros(()), np.zeros(())
        for x in clips:
            count += 1
            total = total + x
            energy = energy + np.square(np.abs(_fft(np.asarray(x, np.float64))))
        if count < 2:
            raise ValueError(f"a power spectrum needs at least 2 clips, not {count}")
        mean = total / count
        centered = energy - count * np.square(np.abs(_fft(mean)))
        return cls(mean, np.clip(centered, 0, None) / (count - 1))


@dataclass(frozen=True)
class Constant:
    """x_hat = the mean training clip: the best denoiser that ignores z."""

    spectrum: Spectrum

    def __call__(self, z: Video, logsnr: LogSNR) -> Video:
        return jnp.broadcast_to(jnp.asarray(self.spectrum.mean, z.dtype)[None], z.shape)


@dataclass(frozen=True)
class Wiener:
    """The best linear denoiser that is invariant under shifts in space and time.

    F x_hat = F mean + alpha S / (alpha^2 S + sigma^2) F(z - alpha mean), with S the power spectrum.
    Equals E[x | z] if the data are a stationary Gaussian with independent channels.
    """

    spectrum: Spectrum
    process: diffusion.Process

    def __call__(self, z: Video, logsnr: LogSNR) -> Video:
        alpha, sigma = self.process.alpha_sigma(diffusion.expand(logsnr, z))
        mean = jnp.asarray(self.spectrum.mean, z.dtype)[None]
        power = jnp.asarray(self.spectrum.power, z.dtype)[None]
        gain = alpha * power / (alpha**2 * power + sigma**2)
        return mean + jnp.real(_ifft(gain * _fft(z - alpha * mean)))


def _fft(x: np.ndarray | Array):
    transform = np.fft if isinstance(x, np.ndarray) else jnp.fft
    return transform.fftn(x, axes=(-4, -3, -2), norm="ortho")


def _ifft(x: Array) -> Array:
    return jnp.fft.ifftn(x, axes=(-4, -3, -2), norm="ortho")
