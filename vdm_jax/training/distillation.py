"""Progressive distillation: a student whose one step does what two steps of its teacher do."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from vdm_jax import diffusion
from vdm_jax.models import Conditioning
from vdm_jax.training.students import Student
from vdm_jax.training.task import Batch
from vdm_jax.types import Denoiser, Key, LogSNR, Metrics, Params, Scalar, Video


@dataclasses.dataclass(frozen=True)
class Distillation(Student):
    """`E [w(logsnr_t) ||x - x_hat(z_t)||^2]`, x the one that two steps of the teacher lead to.

    t = i / N, i = ceil(N u) for a time u as training draws it. When a student has learnt to do with
    N steps what its teacher did with 2 N, it becomes the teacher of one with N / 2, until `end`.
    The data enter through z_t alone; the target is exactly reachable, so nothing is blurred.
    (Salimans & Ho 2022, algorithm 2)

    start_steps: the steps of the first teacher, `end` times a power of two.
    first_length, last_lengths: how long the first and the last halvings are, in units of the
    experiment's steps; those between are 1. A guided teacher takes a student longer.
    guidance: the weight of classifier-free guidance of the first teacher, 1 where it needs none: a
    plain model distilled so has the guided samples at one call a step. Students are not guided.
    jump: which steps: `DeterministicJump` for `DDIM`, `StochasticJump` for the stochastic sampler.
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
                "start_steps is end_steps times 2, 4, 8, ..., because every student takes half the "
                "steps of its teacher"
            )

    @property
    def phases(self) -> tuple[int, ...]:
        """The lengths of the halvings, in units of the experiment's `steps`."""
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
        """The student becomes the teacher of one that starts as it is and has half its steps."""
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
        """The x that a student of `frozen["steps"]` steps is to see in z at t = i / steps."""
        logsnrs = self.jump(self.process.schedule, i, frozen["steps"])
        first = frozen["steps"] == self.start_steps // 2
        x = diffusion.two_steps(self.guide(frozen, cond, first), z, self.process, *logsnrs)
        return jax.lax.stop_gradient(x)

    def guide(self, frozen: Params, cond: Conditioning, first: Bool[Array, ""]) -> Denoiser:
        """The teacher, under guidance while it is the first; then no null call is made."""
        taught, null = (
            self.teacher_denoiser(frozen, cond),
            self.teacher_denoiser(frozen, cond.null()),
        )
        if self.guidance == 1:
            return taught

        def asked(z: Video, logsnr: LogSNR) -> Video:
            return jax.lax.cond(first, null, lambda z, _: z, z, logsnr)

        weight = jnp.where(first, self.guidance, 1.0)
        return diffusion.classifier_free(taught, asked, weight, self.process)
