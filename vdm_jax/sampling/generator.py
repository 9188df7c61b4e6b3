"""Sampling with classifier-free guidance."""

import dataclasses

from vdm_jax import diffusion
from vdm_jax.interfaces import DiffusionTask, Experiment
from vdm_jax.models import Conditioning
from vdm_jax.sampling.base_generator import BaseGenerator
from vdm_jax.sampling.trained_model import TrainedModel
from vdm_jax.types import Denoiser, Params


@dataclasses.dataclass(frozen=True)
class Generator(BaseGenerator):
    """Sampling with classifier-free guidance.

    guidance: the weight w in x_null + w (x_cond - x_null); 1 is none, with one network call.
    """

    guidance: float | diffusion.GuidanceWeight = 1.0

    def guided(
        self, task: DiffusionTask, params: Params, frozen: Params, cond: Conditioning
    ) -> Denoiser:
        denoiser = self.conditional(task, params, frozen)
        return diffusion.classifier_free(
            denoiser(cond), denoiser(cond.null()), self.guidance, task.process
        )

    def trained_model(self, experiment: Experiment, params: Params, frozen: Params) -> TrainedModel:
        return TrainedModel(self, experiment, params, frozen)
