"""Progressive distillation: one student step matches two steps of its teacher."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from vdm_jax import diffusion
from vdm_jax.interfaces import Batch
from vdm_jax.models import Conditioning
from vdm_jax.training.students import Student
from vdm_jax.types import Denoiser, Key, LogSNR, Metrics, Params, Scalar, Video


@dataclasses.dataclass(frozen=True)
class Distillation(Student):
    """`E [w(logsnr_t) ||x - x_hat(z_t)||^2]`, where one step with x equals two teacher steps.

    t = i / N, i = ceil(N u) for a time u drawn as in training. A phase distils a teacher of 2 N
    steps into a student of N steps, which is the teacher of the next phase, down to `end_steps`.
    The data enter only through z_t, and the student can match the target exactly, so distillation
    does not blur. (Salimans & Ho 2022, algorithm 2)

    start_steps: the steps of the first teacher, `end_steps` times a power of two.
    end_steps: the steps of the last student.
    first_length: the length of the first phase, in units of the experiment's `steps`; a guided
      teacher needs a longer one.
    last_lengths: the lengths of the last phases; the phases between have length 1.
    guidance: the classifier-free guidance weight of the first teacher; 1 is none. A student then
      samples as the guided teacher with one network call per step. Students are not guided.
    jump: the sampling step: `DeterministicJump` for `DDIM`, `StochasticJump` for `Stochastic`.
    """

    start_steps: int = 8192
    end_steps: int = 1
    first_length: int = 1
    last_lengths: tuple[int, ...] = (2, 2)
    guidance: float = 1.0
    jump: diffusion.Jump = diffusion.DeterministicJump()

    def __post_init__(self):
        halvings = (self.start_steps // max(self.end_steps, 1)).bit_length() - 1
        if self.end_steps < 1 or halvings < 1 or self.end_steps << halvings != self.start_steps:
            raise ValueError(
                f"Distillation: start_steps={self.start_steps} and end_steps={self.end_steps}: "
                "every student takes half the steps of its teacher, so make start_steps end_steps "
                "times 2, 4, 8, ..."
            )

    @property
    def phases(self) -> tuple[int, ...]:
        """The length of each halving, in units of the experiment's `steps`."""
        halvings = (self.start_steps // self.end_steps).bit_length() - 1
        last = self.last_lengths[-halvings:]
        lengths = [1] * (halvings - len(last)) + list(last)
        return (max(self.first_length, lengths[0]), *lengths[1:])

    def accepts_teacher(self, steps: int) -> bool:
        return steps == self.start_steps

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        params, frozen = super().init(key, batch)
        return params, {**frozen, "steps": jnp.asarray(self.start_steps, jnp.int32)}

    def next_phase(self, params: Params, frozen: Params) -> tuple[Params, Params]:
        """The student becomes the teacher of a student of half the steps, equal at the start."""
        return params, {"teacher": self.as_teacher(params), "steps": frozen["steps"] // 2}

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        x, cond, levels, eps = self.draw(key, batch)
        steps, schedule = frozen["steps"], self.process.schedule
        i = jnp.clip(jnp.ceil(steps * schedule.inverse(levels)).astype(jnp.int32), 1, steps)
        logsnr, *_ = self.jump(schedule, i, steps)
        z = self.process.diffuse(x, logsnr, eps)
        target = self.target(frozen, z, i, cond)
        return self.denoising.error(params, target, z, logsnr, cond)

    def target(
        self, frozen: Params, z: Video, i: Int[Array, "*batch"], cond: Conditioning
    ) -> Video:
        """The target of a student of `frozen["steps"]` steps for z at t = i / steps."""
        logsnrs = self.jump(self.process.schedule, i, frozen["steps"])
        first = frozen["steps"] == self.start_steps // 2
        teacher = self.phase_teacher(frozen, cond, first)
        x = diffusion.two_steps(teacher, z, self.process, *logsnrs)
        return jax.lax.stop_gradient(x)

    def phase_teacher(self, frozen: Params, cond: Conditioning, first: Bool[Array, ""]) -> Denoiser:
        """The teacher, under guidance in the first phase; later phases skip the null call."""
        conditional, null = (
            self.teacher_denoiser(frozen, cond),
            self.teacher_denoiser(frozen, cond.null()),
        )
        if self.guidance == 1:
            return conditional

        def null_if_first(z: Video, logsnr: LogSNR) -> Video:
            return jax.lax.cond(first, null, lambda z, _: z, z, logsnr)

        weight = jnp.where(first, self.guidance, 1.0)
        return diffusion.classifier_free(conditional, null_if_first, weight, self.process)
