"""Tasks as sampling sees them, and where their denoisers work."""

import dataclasses
from typing import Protocol

from vdm_jax import diffusion, nn
from vdm_jax.models import Conditioning
from vdm_jax.types import Denoiser, Key, LogSNR, Params, Video


class LowRes(Protocol):
    """What sampling needs of super-resolution: small videos made, noised, and told the model."""

    def downsample(self, x: Video) -> Video: ...
    def shape(self, low: tuple[int, ...]) -> tuple[int, ...]: ...
    def logsnr(self, snr: float | None) -> LogSNR: ...
    def condition(
        self, key: Key, cond: Conditioning, low: Video, logsnr: LogSNR
    ) -> Conditioning: ...


class Task(Protocol):
    """What sampling needs of a task: its process, and its network as a denoiser.

    lowres: None where there is nothing to enlarge.
    """

    @property
    def process(self) -> diffusion.Process: ...
    @property
    def lowres(self) -> LowRes | None: ...
    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser: ...


@dataclasses.dataclass(frozen=True)
class ShardedTask:
    """A task whose videos lie on devices in parts, and whose denoiser works on the parts."""

    task: Task
    places: nn.ShardingRules

    @property
    def process(self) -> diffusion.Process:
        return self.task.process

    @property
    def lowres(self) -> LowRes | None:
        return self.task.lowres

    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        denoiser = self.task.denoiser(params, frozen, cond)

        def placed(z: Video, logsnr: LogSNR) -> Video:
            with nn.logical_axis_rules(self.places):
                z = nn.constrain(z, "b f h w c")
                return nn.constrain(denoiser(z, logsnr), "b f h w c")

        return placed


@dataclasses.dataclass(frozen=True)
class ShardedDenoiser:
    """A denoiser with its parameters as arguments; equal tasks compile to one program."""

    task: Task

    def __call__(self, params, frozen, cond, z: Video, logsnr: LogSNR) -> Video:
        return self.task.denoiser(params, frozen, cond)(z, logsnr)
