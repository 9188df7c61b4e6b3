"""Sampling of distilled models: one network call per step, on the steps of the distillation."""

import dataclasses

import jax.numpy as jnp

from vdm_jax import config
from vdm_jax.interfaces import DiffusionTask, Experiment, StudentTask
from vdm_jax.models import Conditioning
from vdm_jax.sampling.base_generator import BaseGenerator
from vdm_jax.sampling.trained_model import TrainedModel, load
from vdm_jax.types import Denoiser, LogSNR, Params, Video


@dataclasses.dataclass(frozen=True)
class Distilled(BaseGenerator):
    """Sampling with the guidance weight as an input of the network. (Meng et al. 2023, section 3)

    sampler: `DDIM` for students of `DeterministicJump`, `Stochastic` for those of
      `StochasticJump`. Its `steps` are replaced by those that the student was distilled to, if any.
    guidance: the weight, a number or a function of log-SNR such as `Oscillating`; None for a
      network without this input.
    """

    def guided(
        self, task: DiffusionTask, params: Params, frozen: Params, cond: Conditioning
    ) -> Denoiser:
        conditional, guidance = self.conditional(task, params, frozen), self.guidance
        if guidance is None:
            return conditional(cond)

        def denoiser(z: Video, logsnr: LogSNR) -> Video:
            weight = guidance
            if callable(weight):
                weight = weight(logsnr, task.process, z.shape[1])
            weight = jnp.broadcast_to(jnp.asarray(weight, jnp.float32), z.shape[:1])
            return conditional(dataclasses.replace(cond, guidance=weight))(z, logsnr)

        return denoiser

    def trained_model(
        self, experiment: Experiment, params: Params, frozen: Params
    ) -> "TrainedStudentModel":
        """The distilled model that evaluations and commands use.

        Raises:
          ConfigError: a guidance weight for a student that takes none.
        """
        task = experiment.task
        if self.guidance is not None and not (isinstance(task, StudentTask) and task.weights):
            raise config.ConfigError(
                f"sampling.guidance={self.guidance!r}, but this student takes no guidance weight: "
                "its guidance is that of its distillation; make it None"
            )
        generator = self
        if "steps" in frozen:
            sampler = dataclasses.replace(self.sampler, steps=int(frozen["steps"]))  # pyright: ignore[reportArgumentType, reportCallIssue]
            generator = dataclasses.replace(self, sampler=sampler)
        return TrainedStudentModel(generator, experiment, params, frozen)


@dataclasses.dataclass(frozen=True)
class TrainedStudentModel(TrainedModel):
    """A distilled model, from which its teacher can be loaded."""

    @property
    def steps(self) -> int:
        """The network calls per sample."""
        return self.generator.sampler.steps  # pyright: ignore[reportAttributeAccessIssue]

    def teacher(self) -> TrainedModel:
        """The first teacher, loaded from its run, with the sampling of its own experiment."""
        task = self.experiment.task
        assert isinstance(task, StudentTask)
        return load(task.teacher, task.step)[1]
