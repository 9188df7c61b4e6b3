"""Samples of distilled models: one call of the network a step, on the grid it was distilled for."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from vdm_jax import config, diffusion
from vdm_jax.models import Conditioning
from vdm_jax.sampling.generate import Generator, TrainedModel, load
from vdm_jax.sampling.sharded import Task
from vdm_jax.types import Denoiser, LogSNR, Params, Video


@dataclasses.dataclass(frozen=True)
class Distilled(Generator):
    """A generator whose guidance is an input of the network.

    sampler: its `steps` become those that the student was distilled to; one that was not distilled
    to a number of steps takes those that are written. `DDIM` is for students of `DeterministicJump`
    jumps, `Stochastic` for those of `StochasticJump` ones.
    guidance: the weight that the network is told, a number or an object such as `Oscillating`; None
    for a network that takes none. (Meng et al. 2023, section 3)
    """

    guidance: float | diffusion.GuidanceWeight | None = None  # pyright: ignore[reportIncompatibleVariableOverride]

    def guided(self, task: Task, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        """The student under its conditions, told the weight of each step."""
        conditional, weight = self.conditional(task, params, frozen), self.guidance
        if weight is None:
            return conditional(cond)

        def denoiser(z: Video, logsnr: LogSNR) -> Video:
            w = weight(logsnr, task.process, z.shape[1]) if callable(weight) else weight
            told = jnp.broadcast_to(jnp.asarray(w, jnp.float32), z.shape[:1])
            return conditional(dataclasses.replace(cond, guidance=told))(z, logsnr)

        return denoiser

    def trained(self, experiment: Any, params: Params, frozen: Params) -> "TrainedStudentModel":
        """A distilled model as evaluations and commands see it.

        Raises:
          ConfigError: a guidance weight for a student that takes none.
        """
        if self.guidance is not None and getattr(experiment.task, "weights", None) is None:
            raise config.ConfigError(
                f"sampling.guidance={self.guidance!r}, but this student was not taught guidance "
                "weights: its guidance is that of its distillation; leave it None"
            )
        generator = self
        if "steps" in frozen:
            sampler = dataclasses.replace(self.sampler, steps=int(frozen["steps"]))  # pyright: ignore[reportArgumentType, reportCallIssue]
            generator = dataclasses.replace(self, sampler=sampler)
        return TrainedStudentModel(generator, experiment, params, frozen)


@dataclasses.dataclass(frozen=True)
class TrainedStudentModel(TrainedModel):
    """A distilled model, and a way back to the model that it was made of."""

    @property
    def steps(self) -> int:
        """The network calls of a sample."""
        return self.generator.sampler.steps  # pyright: ignore[reportAttributeAccessIssue]

    def teacher(self) -> TrainedModel:
        """The first teacher, sampled as its own experiment says; read from its run."""
        task = self.experiment.task
        return load(task.teacher, task.step)[1]
