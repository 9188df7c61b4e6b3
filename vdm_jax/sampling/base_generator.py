"""How one batch of samples is drawn: prior noise, guidance, threshold and sampler."""

import abc
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax import diffusion
from vdm_jax.interfaces import DiffusionTask, Experiment
from vdm_jax.models import Conditioning
from vdm_jax.sampling.tiles import Tiles
from vdm_jax.types import Denoiser, Keys, Params, Video

if TYPE_CHECKING:
    from vdm_jax.sampling.trained_model import TrainedModel


@dataclasses.dataclass(frozen=True)
class BaseGenerator(abc.ABC):
    """Sampling without a kind of guidance, which subclasses define.

    Sample i of a seed is a function of the seed, i and its condition; the batch size and the
    number of devices change it by rounding only.

    sampler: from noise to clips, in `steps` steps.
    guidance: the guidance weight, or a function of log-SNR.
    threshold: wraps the guided denoiser; None is no threshold.
    noise: the prior noise.
    lowres_snr: alpha^2 / sigma^2 of noise augmentation in super-resolution, e.g. 3 or 5; None is
      the least noise of the schedule. (Imagen Video, section 2.5)
    tiles: tiles of super-resolution, for frames too large for memory; None is whole frames.
    batch: clips per batch, over all devices.
    """

    sampler: diffusion.Sampler = diffusion.DDIM(steps=64)
    guidance: float | diffusion.GuidanceWeight | None = None
    threshold: Callable[[Denoiser], Denoiser] | None = diffusion.Clip()
    noise: diffusion.Noise = diffusion.Independent()
    lowres_snr: float | None = None
    tiles: Tiles | None = None
    batch: int = 32

    def __post_init__(self):
        if self.lowres_snr is not None and self.lowres_snr <= 0:
            raise ValueError(
                f"{type(self).__name__}.lowres_snr={self.lowres_snr} is a ratio of variances: make "
                "it positive, e.g. 3.0, or None"
            )

    @abc.abstractmethod
    def guided(
        self, task: DiffusionTask, params: Params, frozen: Params, cond: Conditioning
    ) -> Denoiser:
        """The denoiser under its conditions, with guidance, without a threshold."""

    @abc.abstractmethod
    def trained_model(
        self, experiment: Experiment, params: Params, frozen: Params
    ) -> "TrainedModel":
        """The trained model that evaluations and commands use."""

    def __call__(
        self,
        task: DiffusionTask,
        params: Params,
        frozen: Params,
        keys: Keys,
        cond: Conditioning,
        shape: tuple[int, ...],
    ) -> Video:
        """One batch of clips in [-1, 1] of a shape [b f h w c]. keys: one for each clip."""
        return self._sample(self.guided(task, params, frozen, cond), task.process, keys, shape)

    def upsample(
        self,
        task: DiffusionTask,
        params: Params,
        frozen: Params,
        keys: Keys,
        cond: Conditioning,
        low: Video,
    ) -> Float[Array, "b _ _ _ c"]:
        """One batch of high-resolution clips of low-resolution ones, in [-1, 1].

        The noise of augmentation is drawn once: all steps, and both network calls of guidance, get
        the same. (Imagen Video, section 2.5)
        """
        lowres = task.lowres
        assert lowres is not None
        level = jnp.broadcast_to(lowres.logsnr(self.lowres_snr), low.shape[:1])
        cond = lowres.condition(diffusion.fold_in(keys, 2), cond, low, level)
        return self(task, params, frozen, keys, cond, lowres.shape(low.shape))

    def complete(
        self,
        task: DiffusionTask,
        params: Params,
        frozen: Params,
        keys: Keys,
        cond: Conditioning,
        known: diffusion.KnownPixels,
        lowres: diffusion.LowResolution | None,
        correction: diffusion.Correction | None,
        known_noise: diffusion.KnownNoise,
    ) -> Video:
        """One batch of clips that agree with known frames and, if given, with low-resolution ones.

        correction: reconstruction guidance; None is replacement alone.
        """
        process, denoiser = task.process, self.guided(task, params, frozen, cond)
        if correction is not None:
            measurements = [known] if lowres is None else [known, lowres]
            denoiser = diffusion.reconstruction(denoiser, measurements, correction, process)
        noise = diffusion.fold_in(keys, 0)
        denoiser = diffusion.replacement(denoiser, known, known_noise, noise, process)
        return known.put(self._sample(denoiser, process, keys, known.x.shape))

    def conditional(
        self, task: DiffusionTask, params: Params, frozen: Params
    ) -> Callable[[Conditioning], Denoiser]:
        """The denoiser of given conditions, without guidance, tiled if there are tiles."""
        denoiser = partial(task.denoiser, params, frozen)
        return denoiser if self.tiles is None else partial(self.tiles, denoiser)

    def _sample(
        self, denoiser: Denoiser, process: diffusion.Process, keys: Keys, shape: tuple[int, ...]
    ) -> Video:
        if self.threshold is not None:
            denoiser = self.threshold(denoiser)
        key_noise, key_sampler = diffusion.split(keys)
        z = process.prior_sample(self.noise(key_noise, shape))
        return self.sampler(key_sampler, denoiser, z, process)
