"""Weights of ||x - x_hat||^2 in the training loss, shaped like logsnr; SNR is exp(logsnr).

Each weighs the error of x, whatever the network outputs. Compute the loss on the output instead, as
weight gain^2 ||output - target||^2 (see `parameterizations`).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from vdm_jax.diffusion.parameterizations import Eps, Parameterization
from vdm_jax.diffusion.process import Process
from vdm_jax.diffusion.schedules import slope
from vdm_jax.types import LogSNR


@runtime_checkable
class Weight(Protocol):
    """The weight of ||x - x_hat||^2 at a logsnr."""

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR: ...


@dataclass(frozen=True)
class Constant:
    """1: the mean squared error of x."""

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return jnp.ones_like(logsnr)


@dataclass(frozen=True)
class Output:
    """1 / gain^2: the mean squared error of the network's own output.

    The simple loss of `Eps`, the v loss of `V`, flow matching of `Velocity`, the loss of `EDM`.
    """

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return process.gain(logsnr) ** -2


@dataclass(frozen=True)
class SNR:
    """SNR: the mean squared error of eps, the simple loss of Ho et al. 2020 and Ho et al. 2022."""

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return jnp.exp(logsnr)


@dataclass(frozen=True)
class TruncatedSNR:
    """max(SNR, 1): at least the error of x. Salimans & Ho 2022, section 4."""

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return jnp.exp(jnp.maximum(logsnr, 0))


@dataclass(frozen=True)
class SNRPlusOne:
    """SNR + 1: the mean squared error of v. Salimans & Ho 2022, section 4."""

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return jnp.exp(logsnr) + 1


@dataclass(frozen=True)
class MinSNR:
    """min(SNR, gamma). Hang et al. 2023."""

    gamma: float = 5.0

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return jnp.minimum(jnp.exp(logsnr), self.gamma)


@dataclass(frozen=True)
class P2:
    """SNR / (k + SNR)^gamma. Choi et al. 2022."""

    gamma: float = 1.0
    k: float = 1.0

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return jnp.exp(logsnr) / (self.k + jnp.exp(logsnr)) ** self.gamma


@dataclass(frozen=True)
class Sigmoid:
    """-(d logsnr / dt) SNR sigmoid(bias - logsnr): sigmoid weighting of eps with respect to logsnr.

    Kingma & Gao 2023; Hoogeboom et al. 2024. Use it with times uniform in t: the slope cancels
    their density in logsnr, so the loss depends on the schedule only through its ends.
    """

    bias: float = 2.0

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        density = -slope(process.schedule, process.schedule.inverse(logsnr))
        # SNR sigmoid(bias - logsnr), without multiplying a huge number by a tiny one
        return density * jnp.exp(self.bias) * jax.nn.sigmoid(logsnr - self.bias)


@dataclass(frozen=True)
class EDMWeight:
    """SNR + 1 / sigma_data^2: the error of EDM's F. Karras et al. 2022 (EDM), table 1."""

    sigma_data: float = 0.5

    def __call__(self, logsnr: LogSNR, process: Process) -> LogSNR:
        """The weight at `logsnr`."""
        return jnp.exp(logsnr) + self.sigma_data**-2


def check(parameterization: Parameterization, weight: Weight) -> None:
    """Rejects a pair that diverges: eps with max(SNR, 1) (Salimans & Ho 2022, table 1).

    Raises:
      ValueError: the pair diverges.
    """
    if isinstance(parameterization, Eps) and isinstance(weight, TruncatedSNR):
        raise ValueError(
            f"parameterization {parameterization} with weight {weight} diverges: the weight needs "
            "x at high noise, which eps does not determine. Let the network output V() or X(), or "
            "weight by SNR()"
        )
