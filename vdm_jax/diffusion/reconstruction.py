"""Reconstruction guidance: a denoiser conditioned on measurements y = A x of the video.

y holds frames (`KnownPixels`) or a smaller video (`LowResolution`). With J = d x_hat / d z,

    E[x | z, y] = x_hat + J A' (A J A')^-1 (y - A x_hat)

for Gaussian data; the corrections below approximate it. Most need only J' A' u, one vector-Jacobian
product through the denoiser. J of a posterior mean is symmetric, alpha / sigma^2 times the
covariance of x given z, so `FiniteDifferenceGuidance` needs no backward pass.
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
    """The inputs of a correction at one z and noise level.

    x_hat: the prediction.
    residual: y - A x_hat, for each measurement.
    measure: x -> A x, for each measurement.
    vjp: u -> J' A' u.
    predict: z -> x_hat at this noise level.
    """

    x_hat: Video
    residual: PyTree
    measure: Callable[[Video], PyTree]
    vjp: Callable[[PyTree], Video]
    predict: Callable[[Video], Video]


@runtime_checkable
class Correction(Protocol):
    """The correction of x_hat at a noise level, a term to add to it."""

    def __call__(
        self, context: GuidanceContext, z: Video, logsnr: LogSNR, process: Process
    ) -> Video: ...


def reconstruction(
    denoiser: Denoiser,
    measurements: Sequence[Measurement],
    correction: Correction,
    process: Process,
) -> Denoiser:
    """x_hat plus its correction by the measurements' residuals. Ho et al. 2022, eq. 7 and 8.

    Wrap the denoiser after text guidance and before the threshold, because a clipped pixel has no
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

        predicted, vjp, x_hat = jax.vjp(measured, z, has_aux=True)
        residual = [m.value - y for m, y in zip(measurements, predicted, strict=True)]
        context = GuidanceContext(x_hat, residual, measure, lambda u: vjp(u)[0], predict)
        return x_hat + correction(context, z, logsnr, process)

    return guided


@dataclass(frozen=True)
class ReconstructionGuidance:
    """w alpha J' A' (y - A x_hat) = -(w alpha / 2) grad_z ||y - A x_hat||^2, a sum of squares.

    Ho et al. 2022, eq. 7 and 8. One vector-Jacobian product.

    weight: w, a number or a function of logsnr such as `WhiteDataWeight`. 0 is replacement alone, 1
      the paper's derivation; the paper finds more to be better, 9 for Kinetics and 50 for BAIR.
    """

    weight: float | GuidanceWeight = 1.0

    def __call__(
        self, context: GuidanceContext, z: Video, logsnr: LogSNR, process: Process
    ) -> Video:
        """The correction at `z`."""
        alpha, _ = process.alpha_sigma(logsnr)
        w = self.weight(logsnr, process, z.shape[1]) if callable(self.weight) else self.weight
        return expand(jnp.asarray(w * alpha, z.dtype), z) * context.vjp(context.residual)


@dataclass(frozen=True)
class FiniteDifferenceGuidance:
    """(x_hat(z + step v) - x_hat(z)) / step with v = w alpha A' (y - A x_hat).

    A finite difference for J v, where `ReconstructionGuidance` computes J' v: an extra forward pass
    replaces the backward pass, so it needs no more memory than plain sampling. The two are equal
    for the denoiser of Gaussian data, at any step.

    weight: w, as in `ReconstructionGuidance`.
    step: the step of the finite difference.
    """

    weight: float | GuidanceWeight = 1.0
    step: float = 1.0

    def __post_init__(self):
        if not self.step > 0:
            raise ValueError(f"FiniteDifferenceGuidance: step={self.step} must be above 0")

    def __call__(
        self, context: GuidanceContext, z: Video, logsnr: LogSNR, process: Process
    ) -> Video:
        """The correction at `z`."""
        alpha, _ = process.alpha_sigma(logsnr)
        w = self.weight(logsnr, process, z.shape[1]) if callable(self.weight) else self.weight
        (v,) = jax.linear_transpose(context.measure, z)(context.residual)
        v = expand(jnp.asarray(w * alpha, z.dtype), z) * v
        return (context.predict(z + self.step * v) - context.x_hat) / self.step


@dataclass(frozen=True)
class WhiteDataWeight:
    """min(1 + 1 / (variance SNR), maximum): the exact weight for white data.

    (alpha d x_hat^a / d z^a)^-1, which makes eq. 7 exact if known pixels are independent with this
    variance: 1 at data, rising without bound towards noise. Means of k x k pixels need k^2 times
    this weight.

    variance: of a pixel.
    maximum: the bound on the weight.
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
    once `iterations` reaches the number of distinct eigenvalues. `iterations` + 1 vector-Jacobian
    products; each batch element has its own step sizes.

    iterations: of conjugate gradients.
    noise: the standard deviation of the errors of y; above 0 it also keeps the errors of a trained
      network's J from being amplified.
    """

    iterations: int = 4
    noise: float = 0.0

    def __post_init__(self):
        if self.iterations < 1:
            raise ValueError(
                f"PseudoInverseGuidance: iterations={self.iterations} must be at least 1"
            )

    def __call__(
        self, context: GuidanceContext, z: Video, logsnr: LogSNR, process: Process
    ) -> Video:
        """The correction at `z`."""
        alpha, sigma = process.alpha_sigma(logsnr)
        ridge = expand(jnp.asarray(alpha * (self.noise / sigma) ** 2, z.dtype), z)

        def system(u):
            return jax.tree.map(lambda a, u: a + ridge * u, context.measure(context.vjp(u)), u)

        return context.vjp(_conjugate_gradients(system, context.residual, self.iterations))


def _conjugate_gradients(system, target, iterations: int):
    """u with system(u) = target, solved for each batch element separately."""

    def dot(u, v):
        products = jax.tree.map(lambda u, v: jnp.sum(u * v, axis=tuple(range(1, u.ndim))), u, v)
        return sum(jax.tree.leaves(products))

    def ratio(a, b):
        # b is 0 where the system is solved, and may be negative for the J of a network.
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
