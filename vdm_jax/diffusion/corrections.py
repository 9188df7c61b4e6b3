"""Reconstruction guidance: a denoiser that takes into account what is known of the video.

y = A x is known: frames (`KnownPixels`) or a smaller video (`LowResolution`). With J = d x_hat / d
z,

    E[x | z, y] = x_hat + J A' (A J A')^-1 (y - A x_hat)

for Gaussian data; the corrections below approximate it. Most need the pull-back J' A' u alone, one
vector-Jacobian product through whatever denoiser is given. J of a posterior mean is symmetric:
alpha / sigma^2 times the covariance of x given z. So `FiniteDifferenceGuidance` can do without the
backward pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from vdm_jax.diffusion.guidance import GuidanceWeight
from vdm_jax.diffusion.marginals import expand
from vdm_jax.diffusion.measurements import Measurement
from vdm_jax.diffusion.process import Process
from vdm_jax.types import Denoiser, LogSNR, Video


@dataclass(frozen=True)
class GuidanceContext:
    """What a correction works on, for one z.

    `x_hat`: the prediction. `residual`: y - A x_hat, for each measurement. `measure`: A.
    `pull`: u -> J' A' u. `predict`: x_hat at another z, of the same noise level.
    """

    x_hat: Video
    residual: PyTree
    measure: Callable[[Video], PyTree]
    vjp: Callable[[PyTree], Video]
    predict: Callable[[Video], Video]


@runtime_checkable
class Correction(Protocol):
    """What to add to x_hat at a noise level."""

    def __call__(
        self, seen: GuidanceContext, z: Video, logsnr: LogSNR, process: Process
    ) -> Video: ...


def reconstruction(
    denoiser: Denoiser,
    measurements: Sequence[Measurement],
    correction: Correction,
    process: Process,
) -> Denoiser:
    """x_hat, corrected for what the measurements leave over. Ho et al. 2022, eq. 7 and 8.

    Give it the denoiser as guided by text and without a threshold, for a clipped pixel has no
    gradient; then apply `replacement`, if frames are known, and the threshold.
    """

    def measure(x: Video) -> list[Array]:
        return [measurement(x) for measurement in measurements]

    def guided(z: Video, logsnr: LogSNR) -> Video:
        def predict(z: Video) -> Video:
            return denoiser(z, logsnr)

        def measured(z: Video) -> tuple[list[Array], Video]:
            x_hat = predict(z)
            return measure(x_hat), x_hat

        found, pull, x_hat = jax.vjp(measured, z, has_aux=True)
        residual = [m.value - y for m, y in zip(measurements, found, strict=True)]
        seen = GuidanceContext(x_hat, residual, measure, lambda u: pull(u)[0], predict)
        return x_hat + correction(seen, z, logsnr, process)

    return guided


@dataclass(frozen=True)
class ReconstructionGuidance:
    """w alpha J' A' (y - A x_hat) = -(w alpha / 2) grad_z ||y - A x_hat||^2, a sum of squares.

    Ho et al. 2022, eq. 7 and 8. `weight` 0 is replacement alone, 1 the paper's derivation; it found
    more to be better, 9 for Kinetics and 50 for BAIR. A number, or an object that gives it for a
    logsnr, such as `WhiteDataWeight`.
    """

    weight: float | GuidanceWeight = 1.0

    def __call__(self, seen: GuidanceContext, z: Video, logsnr: LogSNR, process: Process) -> Video:
        """One pull-back."""
        alpha, _ = process.alpha_sigma(logsnr)
        w = self.weight(logsnr, process, z.shape[1]) if callable(self.weight) else self.weight
        return expand(jnp.asarray(w * alpha, z.dtype), z) * seen.vjp(seen.residual)


@dataclass(frozen=True)
class FiniteDifferenceGuidance:
    """(x_hat(z + step v) - x_hat(z)) / step with v = w alpha A' (y - A x_hat).

    `ReconstructionGuidance` without a backward pass, in the memory of plain sampling and two
    forward passes: v is multiplied by J, where `ReconstructionGuidance` multiplies it by J', by a
    finite difference. The same for the denoiser of Gaussian data, at any step.
    """

    weight: float | GuidanceWeight = 1.0
    step: float = 1.0

    def __post_init__(self):
        if not self.step > 0:
            raise ValueError(f"Secant: step={self.step} must be above 0")

    def __call__(self, seen: GuidanceContext, z: Video, logsnr: LogSNR, process: Process) -> Video:
        """One more forward pass."""
        alpha, _ = process.alpha_sigma(logsnr)
        w = self.weight(logsnr, process, z.shape[1]) if callable(self.weight) else self.weight
        (v,) = jax.linear_transpose(seen.measure, z)(seen.residual)
        v = expand(jnp.asarray(w * alpha, z.dtype), z) * v
        return (seen.predict(z + self.step * v) - seen.x_hat) / self.step


@dataclass(frozen=True)
class WhiteDataWeight:
    """min(1 + 1 / (variance SNR), maximum): a weight of `ReconstructionGuidance` that is right for
    white data.

    (alpha d x_hat^a / d z^a)^-1, which makes eq. 7 exact, if known pixels are independent and have
    this variance: 1 at data, rising without bound towards noise. For means of k x k pixels the
    same argument gives k^2 times as much.
    """

    variance: float = 0.25
    maximum: float = 100.0

    def __call__(self, logsnr: LogSNR, process: Process, frames: int) -> Array:
        """The weight, shaped like `logsnr`."""
        return jnp.minimum(1 + jnp.exp(-logsnr) / self.variance, self.maximum)


@dataclass(frozen=True)
class PseudoInverseGuidance:
    """J' A' (A J' A' + alpha noise^2 / sigma^2)^-1 (y - A x_hat), by conjugate gradients.

    The covariance-aware correction (Song et al. 2023, Pseudoinverse-guided diffusion, eq. 7, with
    the denoiser's own covariance sigma^2 J / alpha): exact for Gaussian data, at every noise level,
    once `iterations` reach the number of distinct eigenvalues. `noise` is the standard deviation of
    the errors of y; some of it also keeps the errors of a trained network's J from being amplified.
    `iterations` + 1 pull-backs; each row of the batch has its own step sizes.
    """

    iterations: int = 4
    noise: float = 0.0

    def __post_init__(self):
        if self.iterations < 1:
            raise ValueError(f"PseudoInverse: iterations={self.iterations} must be at least 1")

    def __call__(self, seen: GuidanceContext, z: Video, logsnr: LogSNR, process: Process) -> Video:
        """Solve for u, then pull it back."""
        alpha, sigma = process.alpha_sigma(logsnr)
        ridge = expand(jnp.asarray(alpha * (self.noise / sigma) ** 2, z.dtype), z)

        def system(u):
            return jax.tree.map(lambda a, u: a + ridge * u, seen.measure(seen.vjp(u)), u)

        return seen.vjp(_conjugate_gradients(system, seen.residual, self.iterations))


def _conjugate_gradients(system, target, iterations: int):
    """u with system(u) = target, for each row of the first axis on its own."""

    def dot(u, v):
        products = jax.tree.map(lambda u, v: jnp.sum(u * v, axis=tuple(range(1, u.ndim))), u, v)
        return sum(jax.tree.leaves(products))

    def ratio(a, b):
        # A network's J may have negative curvature, and what is solved leaves nothing to divide by.
        return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)

    def add(u, scale, v):
        return jax.tree.map(lambda u, v: u + expand(scale, v) * v, u, v)

    def iterate(_, state):
        u, left, direction, energy = state
        image = system(direction)
        step = ratio(energy, dot(direction, image))
        u, left = add(u, step, direction), add(left, -step, image)
        new = dot(left, left)
        return u, left, add(left, ratio(new, energy), direction), new

    zero = jax.tree.map(jnp.zeros_like, target)
    return jax.lax.fori_loop(0, iterations, iterate, (zero, target, target, dot(target, target)))[0]
