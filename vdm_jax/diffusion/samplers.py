"""Samplers: from noise to data with a denoiser, first-order and stochastic.

A sampler updates z along its grid. Guidance, thresholds and conditions are inside the denoiser.
`start` < 1 starts from a partly noised video; `stop` > 0 returns z at that time; at `stop` = 0 the
last update returns x_hat. Update i draws from fold_in(key, i); `key` is one for the batch, or one
per batch element.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from vdm_jax.diffusion.grids import Grid, Trailing
from vdm_jax.diffusion.keys import fold_in, normal, split
from vdm_jax.diffusion.marginals import expand
from vdm_jax.diffusion.process import Process
from vdm_jax.diffusion.step_sampler import Carry, StepContext, StepSampler
from vdm_jax.types import Denoiser, Keys, LogSNR, Video


@runtime_checkable
class Sampler(Protocol):
    """z at time `start` -> z at time `stop`, or x_hat at `stop` = 0."""

    def __call__(
        self,
        key: Keys,
        denoiser: Denoiser,
        z: Video,
        process: Process,
        *,
        start: float = 1.0,
        stop: float = 0.0,
    ) -> Video: ...


@dataclass(frozen=True)
class DDIM(StepSampler):
    """z_s = alpha_s x_hat + sigma_s eps_hat. Song et al. 2021 (DDIM), eq. 12.

    Deterministic; `steps` calls of the denoiser. With start < stop it runs from data to noise
    (inversion), the inverse of sampling up to an error of order 1 / steps. On `Karras` with
    `Linspace` it is EDM's Euler sampler.
    """

    steps: int
    grid: Grid = Trailing()

    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        (z,), logsnr = carry, context.logsnr
        x_hat = context.denoiser(z, logsnr[i])
        z_s = context.process.ddim(x_hat, z, logsnr[i], logsnr[i + 1])
        return (jnp.where(i == context.last, x_hat, z_s),)


@dataclass(frozen=True)
class DDIMInversion(StepSampler):
    """DDIM from data to noise with the noise prediction at the level that a step ends at.

    eps_hat = eps(z_t, logsnr_s),  z_s = alpha_s (z_t - sigma_t eps_hat) / alpha_t + sigma_s eps_hat
    for s noisier than t. Mokady et al. 2022 (null-text inversion), section 3.1; Tune-A-Video. It is
    called with start < stop, usually on a `ReversedGrid`. `steps` calls of the denoiser.
    """

    steps: int
    grid: Grid = Trailing()

    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        (z,), process, logsnr = carry, context.process, context.logsnr
        eps_hat = process.eps(context.denoiser(z, logsnr[i + 1]), z, logsnr[i + 1])
        (alpha_t, sigma_t), (alpha_s, sigma_s) = (
            (expand(a, z) for a in process.alpha_sigma(logsnr[j])) for j in (i, i + 1)
        )
        return (alpha_s * (z - sigma_t * eps_hat) / alpha_t + sigma_s * eps_hat,)


@dataclass(frozen=True)
class Ancestral(StepSampler):
    """z_s ~ N(mu(z_t, x_hat), var_small^(1 - gamma) var_large^gamma). Ho et al. 2022, eq. 4.

    var_small = (1 - r) sigma_s^2 is the variance of q(z_s | z_t, x), var_large = (1 - r) sigma_t^2
    that of q(z_t | z_s): exact for data of zero and of unit variance. `steps` denoiser calls.
    """

    downwards_only: ClassVar[bool] = True

    steps: int
    gamma: float = 0.0
    grid: Grid = Trailing()

    def __post_init__(self):
        _require_fraction(self, self.gamma)

    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        (z,), process, logsnr = carry, context.process, context.logsnr
        x_hat = context.denoiser(z, logsnr[i])
        noise = fold_in(context.key, i)
        z_s = ancestral(noise, x_hat, z, process, logsnr[i], logsnr[i + 1], self.gamma)
        return (jnp.where(i == context.last, x_hat, z_s),)


@dataclass(frozen=True)
class PredictorCorrector(StepSampler):
    """One Langevin step after each ancestral update, at its time. Ho et al. 2022, eq. 4 and 5.

    `2 steps - 1` calls of the denoiser: the update that returns x_hat is not corrected.

    gamma: of `Ancestral`.
    delta: of `langevin`.
    """

    downwards_only: ClassVar[bool] = True

    steps: int
    gamma: float = 0.0
    delta: float = 0.1
    grid: Grid = Trailing()

    def __post_init__(self):
        _require_fraction(self, self.gamma)

    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        (z,), process, logsnr = carry, context.process, context.logsnr
        x_hat = context.denoiser(z, logsnr[i])
        predict, correct = split(fold_in(context.key, i))
        z_s = ancestral(predict, x_hat, z, process, logsnr[i], logsnr[i + 1], self.gamma)
        z_s = jax.lax.cond(
            i == context.last,
            lambda: x_hat,
            lambda: langevin(correct, context.denoiser, z_s, process, logsnr[i + 1], self.delta),
        )
        return (z_s,)


@dataclass(frozen=True)
class Stochastic(StepSampler):
    """Each update is a DDIM step of double length, then noise added back for one step.

    z_k = ddim(z_t), k = t - 2 / N;  z_s ~ q(z_s | z_k), s = t - 1 / N.  For distilled models that
    are accurate for steps of length 2 / N; `steps` calls of the denoiser. Meng et al. 2023; Ho et
    al. 2022 (Imagen Video).
    """

    downwards_only: ClassVar[bool] = True

    steps: int
    grid: Grid = Trailing()

    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        (z,), process, logsnr = carry, context.process, context.logsnr
        x_hat = context.denoiser(z, logsnr[i])
        # The last update has one step left: k = s, and no noise is added back.
        logsnr_k = logsnr[jnp.minimum(i + 2, self.steps)]
        z_k = process.ddim(x_hat, z, logsnr[i], logsnr_k)
        mean, std = process.transition(z_k, logsnr_k, logsnr[i + 1])
        z_s = mean + std * normal(fold_in(context.key, i), z.shape, z.dtype)
        return (jnp.where(i == context.last, x_hat, z_s),)


def ancestral(
    key: Keys,
    x_hat: Video,
    z: Video,
    process: Process,
    logsnr_t: LogSNR,
    logsnr_s: LogSNR,
    gamma: float,
) -> Video:
    """A draw of z_s given z_t, with variance interpolated by gamma. Ho et al. 2022, eq. 4."""
    mean, small = process.posterior(x_hat, z, logsnr_t, logsnr_s)
    _, large = process.transition(z, logsnr_s, logsnr_t)
    std = small ** (1 - gamma) * large**gamma
    return mean + std * normal(key, z.shape, z.dtype)


def langevin(
    key: Keys, denoiser: Denoiser, z: Video, process: Process, logsnr: LogSNR, delta: float
) -> Video:
    """One Langevin step: z - delta sigma eps_hat / 2 + sqrt(delta) sigma eps.

    Ho et al. 2022, eq. 5: steps of delta sigma^2 along the score, -eps_hat / sigma.
    """
    eps_hat = process.eps(denoiser(z, logsnr), z, logsnr)
    _, sigma = process.alpha_sigma(logsnr)
    noise = normal(key, z.shape, z.dtype)
    return z - delta / 2 * sigma * eps_hat + jnp.sqrt(delta) * sigma * noise


def _require_fraction(sampler: Sampler, gamma: float) -> None:
    if not 0 <= gamma <= 1:
        raise ValueError(f"{type(sampler).__name__}: gamma={gamma} must lie in [0, 1]")
