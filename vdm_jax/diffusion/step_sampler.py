"""The loop of every sampler: a grid of log-SNRs, and a step from each to the next.

A sampler is a `step`. What must happen to z before the denoiser is called, such as taking over the
z of an earlier clip, is `before_step`; values that steps pass on beside z are in the carry.
"""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vdm_jax.diffusion.grids import Grid, logsnr_grid
from vdm_jax.diffusion.process import Process
from vdm_jax.types import Denoiser, Keys, LogSNR, Video

Carry = tuple[Any, ...]
"""(z, values that a sampler passes from step to step)."""


@dataclass(frozen=True)
class StepContext:
    """The constants of one run of the loop.

    key: of the noise; step i draws from fold_in(key, i).
    denoiser: (z, logsnr) -> x_hat.
    process: the diffusion process.
    logsnr: the log-SNRs of the grid [steps + 1].
    last: the index of the step that returns x_hat, or `steps` where sampling stops above t = 0.
    """

    key: Keys
    denoiser: Denoiser
    process: Process
    logsnr: LogSNR
    last: int


class StepSampler(abc.ABC):
    """A sampler by its steps. Subclasses are frozen dataclasses with `steps` and `grid`."""

    steps: int
    grid: Grid
    downwards_only: ClassVar[bool] = False
    """Whether the step is defined from noise to data only."""

    def first_carry(self, z: Video) -> Carry:
        """The carry before the first step; the first element is z."""
        return (z,)

    def before_step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        """The carry that step i starts from."""
        return carry

    @abc.abstractmethod
    def step(self, i: Int[Array, ""], carry: Carry, context: StepContext) -> Carry:
        """Step i, from `logsnr[i]` to `logsnr[i + 1]`."""

    def __call__(
        self,
        key: Keys,
        denoiser: Denoiser,
        z: Video,
        process: Process,
        *,
        start: float = 1.0,
        stop: float = 0.0,
    ) -> Video:
        """z at time `stop`, or x_hat at `stop` = 0, from z at time `start`.

        Raises:
          ValueError: times outside [0, 1], or upwards with a sampler that runs downwards only.
        """
        context = self._context(key, denoiser, process, start, stop)

        def advance(i: Int[Array, ""], carry: Carry) -> Carry:
            return self.step(i, self.before_step(i, carry, context), context)

        return jax.lax.fori_loop(0, self.steps, advance, self.first_carry(z))[0]

    def trajectory(
        self,
        key: Keys,
        denoiser: Denoiser,
        z: Video,
        process: Process,
        *,
        start: float = 1.0,
        stop: float = 0.0,
    ) -> tuple[Video, Float[Array, "steps b f h w c"]]:
        """(the result, the z that each step started from)."""
        context = self._context(key, denoiser, process, start, stop)

        def advance(carry: Carry, i: Int[Array, ""]) -> tuple[Carry, Video]:
            carry = self.before_step(i, carry, context)
            return self.step(i, carry, context), carry[0]

        carry, visited = jax.lax.scan(advance, self.first_carry(z), jnp.arange(self.steps))
        return carry[0], visited

    def _context(
        self, key: Keys, denoiser: Denoiser, process: Process, start: float, stop: float
    ) -> StepContext:
        if self.downwards_only and not stop < start:
            raise ValueError(
                f"{type(self).__name__} runs from noise to data, so stop={stop} must be below "
                f"start={start}; only deterministic samplers, such as DDIM, run upwards"
            )
        logsnr, last = logsnr_grid(process, self.grid, self.steps, start, stop)
        return StepContext(key, denoiser, process, logsnr, last)
