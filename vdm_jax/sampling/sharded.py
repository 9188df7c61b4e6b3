"""Tasks and denoisers whose activations are sharded over a mesh."""

import dataclasses

from vdm_jax import diffusion, nn
from vdm_jax.interfaces import Batch, DiffusionTask, LowRes
from vdm_jax.models import Conditioning
from vdm_jax.types import Denoiser, Key, LogSNR, Metrics, Params, Scalar, Video


@dataclasses.dataclass(frozen=True)
class ShardedTask:
    """A task whose denoiser constrains videos and activations to the shardings of `rules`."""

    task: DiffusionTask
    rules: nn.ShardingRules

    @property
    def process(self) -> diffusion.Process:
        return self.task.process

    @property
    def lowres(self) -> LowRes | None:
        return self.task.lowres

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        return self.task.init(key, batch)

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        with nn.logical_axis_rules(self.rules):
            return self.task.loss(params, frozen, key, batch)

    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        denoiser = self.task.denoiser(params, frozen, cond)

        def sharded(z: Video, logsnr: LogSNR) -> Video:
            with nn.logical_axis_rules(self.rules):
                z = nn.constrain(z, "b f h w c")
                return nn.constrain(denoiser(z, logsnr), "b f h w c")

        return sharded


@dataclasses.dataclass(frozen=True)
class UnboundDenoiser:
    """A task's denoiser with the parameters as arguments; equal tasks share one program."""

    task: DiffusionTask

    def __call__(
        self, params: Params, frozen: Params, cond: Conditioning, z: Video, logsnr: LogSNR
    ) -> Video:
        return self.task.denoiser(params, frozen, cond)(z, logsnr)
