"""A trained model: samples any number of clips, in batches, over all devices."""

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
from vdm_jax.data import Source, sides, to_float, to_uint8
from vdm_jax.interfaces import Clips, DiffusionTask, Experiment, LowRes
from vdm_jax.models import Conditioning
from vdm_jax.progress import progress_bar
from vdm_jax.sampling import rollout_plans
from vdm_jax.sampling.base_generator import BaseGenerator
from vdm_jax.sampling.encoders import encode_prompts
from vdm_jax.sampling.rollout import Canvas, rollout
from vdm_jax.sampling.sharded import ShardedTask, UnboundDenoiser
from vdm_jax.types import Denoiser, Key, Params

DEFAULT_CORRECTION = diffusion.ReconstructionGuidance(10.0)
"""Makes samples agree with known frames and low-resolution ones, unless another is chosen."""


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """An experiment with trained parameters.

    generator: how batches are sampled.
    experiment: its `task`, `data`, `loader` and `mesh` are used.
    params: the averaged parameters.
    frozen: the frozen parameters.
    """

    generator: BaseGenerator
    experiment: Experiment
    params: Params
    frozen: Params

    @property
    def task(self) -> DiffusionTask:
        """The task that the model was trained on.

        Raises:
          ConfigError: the task has no denoiser.
        """
        task = self.experiment.task
        if not isinstance(task, DiffusionTask):
            raise config.ConfigError(f"a {type(task).__name__} has no denoiser to sample with")
        return task

    @property
    def process(self) -> diffusion.Process:
        """The diffusion process that the model was trained with."""
        return self.task.process

    @property
    def data(self) -> Source:
        """The source that the model was trained on."""
        return self.experiment.data

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> Conditioning:
        """The conditions of captions and labels (-1 is none)."""
        batch: dict[str, Any] = {"label": jnp.asarray(labels, jnp.int32)}
        if self.experiment.loader.text is not None:
            batch |= encode_prompts(self.experiment.loader.text, captions)
        return Conditioning.of(jax.tree.map(jnp.asarray, batch))

    def denoiser(self, cond: Conditioning) -> Denoiser:
        """E[x | z_t] by the averaged parameters, without guidance."""
        network = UnboundDenoiser(self.sharded_task())
        return jax.tree_util.Partial(network, self.params, self.frozen, cond)

    def generate(self, key: Key, cond: Conditioning, count: int) -> Clips:
        """`count` clips for `count` conditions, sampled by the generator.

        Raises:
          ValueError: the model is for super-resolution.
        """
        if self.task.lowres is not None:
            raise ValueError("a super-resolution model needs low-resolution videos: use `upsample`")
        shape, task = (self.data.frames, *sides(self.data.size), 3), self.sharded_task()

        def sample(keys, cond):
            return sample_batch(
                self.generator, task, (len(keys), *shape),
                self.params, self.frozen, keys, cond,
            )  # fmt: skip

        with progress_bar("sampling", count, lines=False) as advance:
            return self._sample_in_batches(sample, key, (cond,), count, advance)

    def with_sampling(self, **changes: Any) -> "TrainedModel":
        """The same model with fields of its generator changed."""
        return dataclasses.replace(self, generator=dataclasses.replace(self.generator, **changes))

    def downsample(self, videos: Clips) -> UInt8[np.ndarray, "b _ _ _ c"]:
        """The low-resolution videos of these, without noise."""
        return np.asarray(_downsample(self._lowres(), jnp.asarray(videos)))

    def upsample(self, key: Key, cond: Conditioning, low: Clips) -> UInt8[np.ndarray, "b _ _ _ c"]:
        """High-resolution videos of low-resolution ones.

        Raises:
          ValueError: the model is not for super-resolution.
        """
        self._lowres()
        fill = len(low) >= parallel.batch_shards(self.experiment.mesh.build().shape)
        task = self.sharded_task(fill=fill)

        def sample(keys, cond, low):
            return upsample_batch(self.generator, task, self.params, self.frozen, keys, cond, low)

        with progress_bar("upsampling", len(low), lines=False) as advance:
            return self._sample_in_batches(sample, key, (cond, low), len(low), advance, fill=fill)

    def sharded_task(
        self, mesh: jax.sharding.Mesh | None = None, fill: bool = True
    ) -> DiffusionTask:
        """The task with its activations sharded over a mesh.

        mesh: None is the experiment's own.
        fill: whether a batch has a clip for every shard; else each clip is sharded.
        """
        mesh, task = mesh or self.experiment.mesh.build(), self.task
        rules = parallel.ACTIVATION_RULES if fill else parallel.ONE_VIDEO_RULES
        return task if mesh.size == 1 else ShardedTask(task, parallel.MeshRules(mesh, rules))

    def _lowres(self) -> LowRes:
        lowres = self.task.lowres
        if lowres is None:
            raise ValueError("this is no super-resolution model: use `generate`")
        return lowres

    def complete(
        self,
        key: Key,
        cond: Conditioning,
        known: diffusion.KnownPixels,
        lowres: diffusion.LowResolution | None = None,
        *,
        correction: diffusion.Correction | None = DEFAULT_CORRECTION,
        known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise(),
    ) -> Clips:
        """Clips that agree with known frames and, if given, with low-resolution frames.

        Known frames that were uint8 come back bit-identical. One compiled program per shape serves
        every choice of known frames.

        correction: reconstruction guidance; None is replacement alone.
        known_noise: the noise of the known frames in z.
        """
        task = self.sharded_task()

        def sample(keys, cond, known, lowres):
            return _complete_batch(
                self.generator, task, correction, known_noise,
                self.params, self.frozen, keys, cond, known, lowres,
            )  # fmt: skip

        return self._sample_in_batches(sample, key, (cond, known, lowres), len(known.x))

    def extend(
        self, key: Key, cond: Conditioning, video: Clips, frames: int, overlap: int, **how: Any
    ) -> Clips:
        """The videos continued to `frames` frames, in blocks conditioned on `overlap` frames.

        how: keyword arguments of `complete`.
        """
        plan = rollout_plans.extension(frames, self.data.frames, overlap, given=video.shape[1])
        canvas = Canvas.blank((len(video), frames, *video.shape[2:]))
        canvas.frames[:, : video.shape[1]] = video
        rollout(partial(self.complete, **how), plan, canvas, key, cond)
        return canvas.frames

    def _sample_in_batches(
        self,
        sample: Callable[..., Array],
        key: Key,
        trees: tuple,
        count: int,
        advance: Callable[[int], None] | None = None,
        *,
        fill: bool = True,
    ) -> Clips:
        """`sample(keys, *trees)` on batches of the `count` elements of `trees`, over all devices.

        Element i has the key `fold_in(key, i)`.

        fill: as for `batch_layout`.
        advance: called with the number of clips after each batch.
        """
        mesh = self.experiment.mesh.build()
        size, sharding = batch_layout(mesh, min(self.generator.batch, count), fill)
        videos = []
        for first in range(0, count, size):
            index = np.arange(first, first + size)  # the last batch repeats the last element
            keys = jax.vmap(partial(jax.random.fold_in, key))(index)
            batch = jax.tree.map(partial(jnp.take, indices=index, axis=0, mode="clip"), trees)
            keys, batch = jax.device_put((keys, batch), sharding)
            videos.append(np.asarray(sample(keys, *batch))[: count - first])
            if advance is not None:
                advance(len(videos[-1]))
        return np.concatenate(videos)


def load(
    workdir: str | os.PathLike, step: int | None = None, assignments: Sequence[str] = ()
) -> tuple[int, TrainedModel]:
    """(step, trained model) of the folder of a run or of an export.

    step: None is the newest checkpoint.
    assignments: overrides of the experiment, such as `sampling.guidance=2.0`.

    Raises:
      CheckpointError: no run, no such checkpoint, or a checkpoint of another model.
    """
    experiment = config.override(read_experiment(workdir), *assignments)
    like = abstract_params(experiment)
    store = open_run(workdir)
    step, trees, _ = store.restore(like, step)
    store.close()
    frozen = trees.get("frozen", {})
    return step, experiment.sampling.trained_model(experiment, trees["ema"], frozen)


def abstract_params(
    experiment: Experiment, mesh: jax.sharding.Mesh | None = None
) -> dict[str, Any]:
    """The parameters `ema`, and `frozen` if any, as shapes with shardings over a mesh.

    mesh: None is the experiment's own.
    """
    batch = experiment.loader.zeros(experiment.data)
    trained, frozen = jax.eval_shape(partial(experiment.task.init, batch=batch), jax.random.key(0))
    like = {"ema": trained, **({"frozen": frozen} if frozen else {})}
    return parallel.with_shardings(like, parallel.shardings(like, mesh or experiment.mesh.build()))


def batch_layout(mesh: jax.sharding.Mesh, clips: int, fill: bool) -> tuple[int, NamedSharding]:
    """(batch size, sharding) for `clips` clips.

    fill: clips are sharded, and their number rounded up to fill all shards; else replicated.
    """
    if not fill:
        return clips, NamedSharding(mesh, PartitionSpec())
    shards = parallel.batch_shards(mesh.shape)
    return math.ceil(clips / shards) * shards, parallel.batch_sharding(mesh)


@partial(parallel.Jit, static_argnums=(0, 1, 2))
def sample_batch(generator, task, shape, params, frozen, keys, cond) -> Array:
    """One batch of `TrainedModel.generate`, uint8."""
    return to_uint8(generator(task, params, frozen, keys, cond, shape))


@partial(parallel.Jit, static_argnums=(0, 1))
def upsample_batch(generator, task, params, frozen, keys, cond, low) -> Array:
    """One batch of `TrainedModel.upsample`, uint8."""
    return to_uint8(generator.upsample(task, params, frozen, keys, cond, to_float(low)))


@partial(jax.jit, static_argnums=0)
def _downsample(lowres, videos) -> Array:
    return to_uint8(lowres.downsample(to_float(videos)))


@partial(parallel.Jit, static_argnums=(0, 1, 2, 3))
def _complete_batch(
    generator, task, correction, known_noise, params, frozen, keys, cond, known, lowres
) -> Array:
    return to_uint8(
        generator.complete(task, params, frozen, keys, cond, known, lowres, correction, known_noise)
    )
