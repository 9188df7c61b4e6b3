"""Consistency distillation: a student that jumps along the teacher's sampling path."""

import dataclasses

import jax
import jax.numpy as jnp

from vdm_jax import diffusion
from vdm_jax.diffusion import grid_logsnr
from vdm_jax.interfaces import Batch
from vdm_jax.training.students import Student
from vdm_jax.types import Key, Metrics, Params, Scalar


@dataclasses.dataclass(frozen=True)
class Consistency(Student):
    """`E [w(logsnr_t) ||x - x_hat(z_t)||^2]`, where x merges a teacher step and a student step.

    Time is divided into `segments`. The teacher takes one of its `start_steps` steps from t to m,
    and the student, without gradient, takes one from m to the start s of the segment; one step with
    x leads from t to s. A student that is consistent along the teacher's path follows it with
    `DDIM` of `segments` steps. One segment: Song et al. 2023, algorithm 2; several: Heek et al.
    2024, algorithm 1, without an average of the student.

    start_steps: the teacher's steps, a multiple of `segments`, at least twice as many.
    segments: the steps of the student.
    guidance: the teacher's classifier-free guidance weight; 1 is none.
    """

    start_steps: int = 64
    segments: int = 1
    guidance: float = 1.0

    def __post_init__(self):
        if (
            self.segments < 1
            or self.start_steps % self.segments
            or self.start_steps == self.segments
        ):
            raise ValueError(
                f"Consistency: start_steps={self.start_steps} and segments={self.segments}: make "
                "start_steps a multiple of segments, at least twice as large"
            )

    @property
    def phases(self) -> tuple[int, ...]:
        """One phase."""
        return (1,)

    def accepts_teacher(self, steps: int) -> bool:
        return steps == self.start_steps

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        params, frozen = super().init(key, batch)
        return params, {**frozen, "steps": jnp.asarray(self.segments, jnp.int32)}

    def next_phase(self, params: Params, frozen: Params) -> tuple[Params, Params]:
        """The student starts with the teacher's parameters."""
        return params, {"teacher": self.as_teacher(params), "steps": frozen["steps"]}

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        x, cond, levels, eps = self.draw(key, batch)
        schedule, each = self.process.schedule, self.start_steps // self.segments
        i = jnp.ceil(self.start_steps * schedule.inverse(levels)).astype(jnp.int32)
        i = jnp.clip(i, 1, self.start_steps)
        logsnr, logsnr_m, logsnr_s = (
            grid_logsnr(schedule, index, self.start_steps)
            for index in (i, i - 1, (i - 1) // each * each)
        )
        z = self.process.diffuse(x, logsnr, eps)
        first = self.guided_teacher(frozen, cond, self.guidance)(z, logsnr)
        z_m = self.process.ddim(first, z, logsnr, logsnr_m)
        second = self.denoiser(params, frozen, cond)(z_m, logsnr_m)
        target = diffusion.merge_steps(first, second, logsnr, logsnr_m, logsnr_s)
        return self.denoising.error(params, jax.lax.stop_gradient(target), z, logsnr, cond)
