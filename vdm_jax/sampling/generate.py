"""Samples of a trained model, in batches, over all devices."""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, UInt8

from vdm_jax import config, diffusion, parallel
from vdm_jax.checkpoints import open_run, read_experiment
from vdm_jax.data import sides, to_float, to_uint8
from vdm_jax.models import Conditioning
from vdm_jax.progress import progress
from vdm_jax.sampling import rollout_plans
from vdm_jax.sampling.encoders import prompts
from vdm_jax.sampling.rollout import Canvas, rollout
from vdm_jax.sampling.sharded import LowRes, ShardedDenoiser, ShardedTask, Task
from vdm_jax.sampling.tiles import Tiles
from vdm_jax.types import Denoiser, Key, Params, Video

GUIDANCE = diffusion.ReconstructionGuidance(10.0)
"""How samples are made to agree with what is known of them, unless told otherwise."""


@dataclasses.dataclass(frozen=True)
class Generator:
    """How samples are drawn: first noise, guidance, threshold, sampler, and the batch.

    Sample i of a seed is a function of the seed, i and its condition; the batch size and the
    number of devices change it by no more than rounding.

    lowres_snr: signal-to-noise ratio, alpha^2 / sigma^2, of the low-resolution video that a model
    of super-resolution sees, e.g. 3 or 5; None adds next to nothing. (Imagen Video, section 2.5)
    tiles: for frames too large for memory.
    """

    sampler: diffusion.Sampler = diffusion.DDIM(steps=64)
    guidance: float | diffusion.GuidanceWeight = 1.0
    threshold: Callable[[Denoiser], Denoiser] | None = diffusion.Clip()
    noise: diffusion.Noise = diffusion.Independent()
    lowres_snr: float | None = None
    tiles: Tiles | None = None
    batch: int = 32

    def __post_init__(self):
        if self.lowres_snr is not None and self.lowres_snr <= 0:
            raise ValueError(
                f"Generator.snr is {self.lowres_snr}: a ratio of variances, e.g. 3.0, or None"
            )

    def __call__(
        self, task: Task, params: Params, frozen: Params, keys: Key, cond: Conditioning, shape
    ) -> Video:
        """One batch of clips in [-1, 1]; `keys` has one key for each."""
        return self._sample(self.guided(task, params, frozen, cond), task.process, keys, shape)

    def enlarge(
        self, task: Task, params: Params, frozen: Params, keys: Key, cond: Conditioning, low: Video
    ) -> Video:
        """One batch of clips made of small ones in [-1, 1].

        The noise on the small ones is drawn once: every step, and both sides of guidance, see the
        same. (Imagen Video, section 2.5)
        """
        lowres = task.lowres
        assert lowres is not None
        level = jnp.broadcast_to(lowres.logsnr(self.lowres_snr), low.shape[:1])
        cond = lowres.condition(diffusion.fold_in(keys, 2), cond, low, level)
        return self(task, params, frozen, keys, cond, lowres.shape(low.shape))

    def complete(
        self,
        task: Task,
        params: Params,
        frozen: Params,
        keys: Key,
        cond: Conditioning,
        known: diffusion.KnownPixels,
        small: diffusion.LowResolution | None,
        correction: diffusion.Correction | None,
        known_noise: diffusion.KnownNoise,
    ) -> Video:
        """One batch of clips that agree with what is known of them; where nothing is, a plain one.

        correction: None is replacement alone.
        """
        process, denoiser = task.process, self.guided(task, params, frozen, cond)
        if correction is not None:
            measurements = [known] if small is None else [known, small]
            denoiser = diffusion.reconstruction(denoiser, measurements, correction, process)
        noise = diffusion.fold_in(keys, 0)
        denoiser = diffusion.replacement(denoiser, known, known_noise, noise, process)
        return known.put(self._sample(denoiser, process, keys, known.x.shape))

    def guided(self, task: Task, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        """The denoiser under its conditions, guided, without a threshold."""
        denoiser = self.conditional(task, params, frozen)
        return diffusion.classifier_free(
            denoiser(cond), denoiser(cond.null()), self.guidance, task.process
        )

    def conditional(
        self, task: Task, params: Params, frozen: Params
    ) -> Callable[[Conditioning], Denoiser]:
        """The denoiser of conditions, tile by tile where there are tiles."""
        denoiser = partial(task.denoiser, params, frozen)
        return denoiser if self.tiles is None else partial(self.tiles, denoiser)

    def _sample(self, denoiser: Denoiser, process: diffusion.Process, keys: Key, shape) -> Video:
        if self.threshold is not None:
            denoiser = self.threshold(denoiser)
        key_noise, key_sampler = diffusion.split(keys)
        z = process.prior_sample(self.noise(key_noise, shape))
        return self.sampler(key_sampler, denoiser, z, process)

    def trained(self, experiment: Any, params: Params, frozen: Params) -> "TrainedModel":
        """A trained model as evaluations and commands see it."""
        return TrainedModel(self, experiment, params, frozen)


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """An experiment and its trained parameters: what can be asked of a model.

    experiment: `task`, `data`, `loader` and `mesh` of it are used.
    """

    generator: Generator
    experiment: Any
    params: Params
    frozen: Params

    @property
    def process(self) -> diffusion.Process:
        """The diffusion process that the model was trained for."""
        return self.experiment.task.process

    @property
    def data(self) -> Any:
        """The source that the model was trained on."""
        return self.experiment.data

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> Conditioning:
        """Captions and labels (-1 for none) as conditions of the model."""
        found: dict[str, Any] = {"label": jnp.asarray(labels, jnp.int32)}
        if self.experiment.loader.text is not None:
            found |= prompts(self.experiment.loader.text, captions)
        return Conditioning.of(jax.tree.map(jnp.asarray, found))

    def denoiser(self, cond: Conditioning) -> Denoiser:
        """E[x | z_t] by the averaged parameters, without guidance."""
        network = ShardedDenoiser(self._task())
        return jax.tree_util.Partial(network, self.params, self.frozen, cond)

    def generate(self, key: Key, cond: Conditioning, count: int) -> UInt8[np.ndarray, "b f h w c"]:
        """`count` clips under `count` conditions, as the experiment samples them."""
        if self.experiment.task.lowres is not None:
            raise ValueError("a super-resolution model has to be given videos: use `enlarge`")
        shape, task = (self.data.frames, *sides(self.data.size), 3), self._task()

        def sample(keys, cond):
            return _sample(
                self.generator, task, (len(keys), *shape),
                self.params, self.frozen, keys, cond,
            )  # fmt: skip

        with progress() as bars:
            bar = bars.add_task("sampling", total=count)
            return self._in_batches(sample, key, (cond,), count, partial(bars.advance, bar))

    def sampled(self, **changes: Any) -> "TrainedModel":
        """The same model, with fields of its generator changed."""
        return dataclasses.replace(self, generator=dataclasses.replace(self.generator, **changes))

    def downsample(self, videos: UInt8[np.ndarray, "b f h w c"]) -> UInt8[np.ndarray, "b f h w c"]:
        """What a super-resolution model has to make these videos of, without noise."""
        return np.asarray(_lower(self._lowres(), jnp.asarray(videos)))

    def enlarge(
        self, key: Key, cond: Conditioning, low: UInt8[np.ndarray, "b f h w c"]
    ) -> UInt8[np.ndarray, "b f h w c"]:
        """Videos with the frames, rows and columns that a super-resolution model adds to these."""
        self._lowres()  # or it enlarges nothing
        fill = len(low) >= parallel.batch_shards(self.experiment.mesh.build().shape)
        task = self._task() if fill else self._task(parallel.ONE_VIDEO)

        def sample(keys, cond, low):
            return _enlarge(self.generator, task, self.params, self.frozen, keys, cond, low)

        with progress() as bars:
            bar = bars.add_task("enlarging", total=len(low))
            advance = partial(bars.advance, bar)
            return self._in_batches(sample, key, (cond, low), len(low), advance, fill=fill)

    def _task(self, rules: parallel.Rules = parallel.ACTIVATIONS) -> Task:
        """The task, with its videos on the devices as the rules say."""
        mesh, task = self.experiment.mesh.build(), self.experiment.task
        return task if mesh.size == 1 else ShardedTask(task, parallel.MeshRules(mesh, rules))

    def _lowres(self) -> LowRes:
        lowres = self.experiment.task.lowres
        if lowres is None:
            raise ValueError("this model makes videos of nothing but conditions; it enlarges none")
        return lowres

    def complete(
        self,
        key: Key,
        cond: Conditioning,
        known: diffusion.KnownPixels,
        small: diffusion.LowResolution | None = None,
        *,
        correction: diffusion.Correction | None = GUIDANCE,
        known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise(),
    ) -> UInt8[np.ndarray, "b f h w c"]:
        """The rest of clips of which frames are `known`, or which are known to be `small`.

        Known frames that were bytes come back as the same bytes. The program is compiled once for
        every shape, whichever frames are known.
        """
        task = self._task()

        def sample(keys, cond, known, small):
            return _complete(
                self.generator, task, correction, known_noise,
                self.params, self.frozen, keys, cond, known, small,
            )  # fmt: skip

        return self._in_batches(sample, key, (cond, known, small), len(known.x))

    def extend(
        self,
        key: Key,
        cond: Conditioning,
        video: UInt8[np.ndarray, "b f h w c"],
        frames: int,
        overlap: int,
        **how,
    ) -> UInt8[np.ndarray, "b f h w c"]:
        """The videos continued to `frames` frames, each block seeing the last `overlap` before it.

        `how` as for `complete`.
        """
        plan = rollout_plans.extension(frames, self.data.frames, overlap, given=video.shape[1])
        canvas = Canvas.blank((len(video), frames, *video.shape[2:]))
        canvas.frames[:, : video.shape[1]] = video
        rollout(partial(self.complete, **how), plan, canvas, key, cond)
        return canvas.frames

    def _in_batches(
        self,
        sample: Callable[..., Array],
        key: Key,
        trees: tuple,
        count: int,
        advance=None,
        *,
        fill: bool = True,
    ) -> UInt8[np.ndarray, "b f h w c"]:
        """`sample(keys, *rows of trees)` for `count` rows in batches of one size, over all devices.

        Sample i has the key fold_in(key, i). fill: batches have as many rows as fill the devices;
        otherwise every device has all rows.
        """
        mesh = self.experiment.mesh.build()
        size = min(self.generator.batch, count)
        parts = parallel.batch_shards(mesh.shape)
        size = math.ceil(size / parts) * parts if fill else size
        rows = parallel.batch_sharding(mesh) if fill else NamedSharding(mesh, PartitionSpec())
        videos = []
        for first in range(0, count, size):
            index = np.arange(first, first + size)  # the last batch is filled up
            keys = jax.vmap(partial(jax.random.fold_in, key))(index)
            chosen = jax.tree.map(partial(jnp.take, indices=index, axis=0, mode="clip"), trees)
            keys, chosen = jax.device_put((keys, chosen), rows)
            videos.append(np.asarray(sample(keys, *chosen))[: count - first])
            if advance is not None:
                advance(len(videos[-1]))
        return np.concatenate(videos)


def load(
    workdir: str | os.PathLike, step: int | None = None, assignments: Sequence[str] = ()
) -> tuple[int, TrainedModel]:
    """(step, trained model) of a run or of an export, from its folder alone.

    `assignments` change the experiment.

    Raises:
      CheckpointError: no run, no such checkpoint, or one of another model.
    """
    experiment = config.override(read_experiment(workdir), *assignments)
    like = abstract_params(experiment)
    store = open_run(workdir)
    step, trees, _ = store.restore(like, step)
    store.close()
    return step, experiment.sampling.trained(experiment, trees["ema"], trees.get("frozen", {}))


def abstract_params(experiment: Any) -> dict[str, Any]:
    """The shapes, types and places of an experiment's parameters: `ema`, and `frozen` if any."""
    batch = {
        name: jnp.zeros((1, *s.shape[1:]), s.dtype)
        for name, s in experiment.loader.shapes(experiment.data).items()
    }
    trained, frozen = jax.eval_shape(partial(experiment.task.init, batch=batch), jax.random.key(0))
    like = {"ema": trained, **({"frozen": frozen} if frozen else {})}
    return parallel.with_shardings(like, parallel.shardings(like, experiment.mesh.build()))


@partial(parallel.Jit, static_argnums=(0, 1, 2))
def _sample(generator, task, shape, params, frozen, keys, cond) -> Array:
    return to_uint8(generator(task, params, frozen, keys, cond, shape))


@partial(parallel.Jit, static_argnums=(0, 1))
def _enlarge(generator, task, params, frozen, keys, cond, low) -> Array:
    return to_uint8(generator.enlarge(task, params, frozen, keys, cond, to_float(low)))


@partial(jax.jit, static_argnums=0)
def _lower(lowres, videos) -> Array:
    return to_uint8(lowres.downsample(to_float(videos)))


@partial(parallel.Jit, static_argnums=(0, 1, 2, 3))
def _complete(
    generator, task, correction, known_noise, params, frozen, keys, cond, known, small
) -> Array:
    return to_uint8(
        generator.complete(task, params, frozen, keys, cond, known, small, correction, known_noise)
    )
