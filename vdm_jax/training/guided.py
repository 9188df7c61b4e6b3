"""Guidance distillation: a student with the guidance weight as an input, in one network call."""

import dataclasses

import jax

from vdm_jax.interfaces import Batch
from vdm_jax.training.students import Student
from vdm_jax.types import Key, Metrics, Params, Scalar


@dataclasses.dataclass(frozen=True)
class GuidedDistillation(Student):
    """`E [w(logsnr_t) ||x^w - x_hat(z_t, w)||^2]`, x^w the teacher under guidance of weight w.

    x^w = x_null + w (x_cond - x_null), with t as in training and w uniform over `weights`. The
    student is the teacher's network plus `nn.Guidance`, which takes w. `Distillation` can then
    halve the student's steps. (Meng et al. 2023, section 3.1, whose w is ours minus 1)
    """

    def __post_init__(self):
        if self.weights is None:
            raise ValueError(
                "GuidedDistillation: weights=None, but the student needs a range of guidance "
                "weights; the paper's is (1.0, 5.0)"
            )

    @property
    def phases(self) -> tuple[int, ...]:
        """One phase."""
        return (1,)

    def next_phase(self, params: Params, frozen: Params) -> tuple[Params, Params]:
        """The student starts with the teacher's parameters."""
        return params, {"teacher": self.as_teacher(params)}

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        x, cond, logsnr, eps = self.draw(key, batch)
        assert cond.guidance is not None
        z = self.process.diffuse(x, logsnr, eps)
        x = self.guided_teacher(frozen, cond, cond.guidance)(z, logsnr)
        return self.denoising.error(params, jax.lax.stop_gradient(x), z, logsnr, cond)
