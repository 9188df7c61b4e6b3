"""Denoisers: a network as x_hat = E[x | z], and thresholds that bound x_hat."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp

from vdm_jax.diffusion.process import Process
from vdm_jax.types import Denoiser, LogSNR, Video


def from_network(network: Callable[[Video, LogSNR], Video], process: Process) -> Denoiser:
    """The denoiser of a network whose output has the process's parameterization.

    network: called with `process.input(z)` and one logsnr per batch element, [b] (a single value is
      repeated). Its output is cast to float32 before any arithmetic.
    """

    def denoiser(z: Video, logsnr: LogSNR) -> Video:
        logsnr = jnp.broadcast_to(logsnr, z.shape[:1]) if jnp.ndim(logsnr) == 0 else logsnr
        output = network(process.input(z, logsnr), logsnr)
        output = output.astype(jnp.promote_types(output.dtype, jnp.float32))
        return process.x(output, z, logsnr)

    return denoiser


@dataclass(frozen=True)
class Clip:
    """clip(x_hat, low, high), the range of the data. Ho et al. 2020."""

    low: float = -1.0
    high: float = 1.0

    def __call__(self, denoiser: Denoiser) -> Denoiser:
        """The clipped denoiser."""
        return lambda z, logsnr: jnp.clip(denoiser(z, logsnr), self.low, self.high)


@dataclass(frozen=True)
class DynamicThreshold:
    """clip(x_hat, -s, s) / s, s = max(1, percentile of |x_hat|). Saharia et al. 2022, section 2.3.

    One s per batch element: the percentile is over all frames, so they share one scale.

    percentile: in percent, 0 to 100.
    """

    percentile: float = 99.5

    def __post_init__(self):
        if not 0 <= self.percentile <= 100:
            raise ValueError(
                f"DynamicThreshold: percentile={self.percentile} must lie in [0, 100], e.g. 99.5"
            )

    def __call__(self, denoiser: Denoiser) -> Denoiser:
        """The thresholded denoiser."""

        def thresholded(z: Video, logsnr: LogSNR) -> Video:
            x_hat = denoiser(z, logsnr)
            axes = tuple(range(1, x_hat.ndim))
            s = jnp.percentile(jnp.abs(x_hat), self.percentile, axis=axes, keepdims=True)
            s = jnp.maximum(s, 1)
            return jnp.clip(x_hat, -s, s) / s

        return thresholded
