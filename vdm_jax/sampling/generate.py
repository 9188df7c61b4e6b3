"""Samples of a trained model, in batches, over all devices."""

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vdm_jax import config, diffusion, parallel
from vdm_jax.checkpoints import Store, read_experiment
from vdm_jax.models import Conditioning
from vdm_jax.types import Denoiser, Key, LogSNR, Params, Video


class Task(Protocol):
    """What sampling needs of a task: its process, and its network as a denoiser."""

    @property
    def process(self) -> diffusion.Process: ...
    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser: ...


@dataclasses.dataclass(frozen=True)
class Generator:
    """How samples are drawn: first noise, guidance, threshold, sampler, and the batch.

    Sample i of a seed is a function of the seed, i and its condition; the batch size and the
    number of devices change it by no more than rounding.
    """

    sampler: diffusion.Sampler = diffusion.DDIM(steps=64)
    guidance: float | diffusion.GuidanceWeight = 1.0
    threshold: Callable[[Denoiser], Denoiser] | None = diffusion.Clip()
    noise: diffusion.Noise = diffusion.Independent()
    batch: int = 32

    def __call__(
        self, task: Task, params: Params, frozen: Params, keys: Key, cond: Conditioning, shape
    ) -> Video:
        """One batch of clips in [-1, 1]; `keys` has one key for each."""
        denoiser = diffusion.classifier_free(
            task.denoiser(params, frozen, cond),
            task.denoiser(params, frozen, cond.null()),
            self.guidance,
            task.process,
        )
        if self.threshold is not None:
            denoiser = self.threshold(denoiser)
        key_noise, key_sampler = diffusion.split(keys)
        z = task.process.first(self.noise(key_noise, shape))
        return self.sampler(key_sampler, denoiser, z, task.process)

    def trained(self, experiment: Any, params: Params, frozen: Params) -> "Trained":
        """A trained model as evaluations and commands see it."""
        return Trained(self, experiment, params, frozen)


@dataclasses.dataclass(frozen=True)
class Trained:
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
            found |= self.experiment.loader.text.batch(captions)
        return Conditioning.of(jax.tree.map(jnp.asarray, found))

    def denoiser(self, cond: Conditioning) -> Denoiser:
        """E[x | z_t] by the averaged parameters, without guidance."""
        network = _Network(self.experiment.task)
        return jax.tree_util.Partial(network, self.params, self.frozen, cond)

    def generate(self, key: Key, cond: Conditioning, count: int) -> UInt8[np.ndarray, "b f h w c"]:
        """`count` clips under `count` conditions, as the experiment samples them."""
        mesh = self.experiment.mesh.build()
        size = min(self.generator.batch, count)
        size = math.ceil(size / mesh.size) * mesh.size
        shape = (size, self.data.frames, self.data.size, self.data.size, 3)
        rows = parallel.batch_sharding(mesh)
        videos = []
        with _progress() as progress:
            bar = progress.add_task("sampling", total=count)
            for first in range(0, count, size):
                index = np.arange(first, first + size)  # the last batch is filled up
                keys = jax.vmap(partial(jax.random.fold_in, key))(index)
                chosen = jax.tree.map(partial(jnp.take, indices=index, axis=0, mode="clip"), cond)
                keys, chosen = jax.device_put((keys, chosen), rows)
                clips = _sample(
                    self.generator, self.experiment.task, shape, self.params, self.frozen,
                    keys, chosen,
                )  # fmt: skip
                videos.append(np.asarray(clips)[: count - first])
                progress.advance(bar, len(videos[-1]))
        return np.concatenate(videos)


def load(
    workdir: str | os.PathLike, step: int | None = None, assignments: Sequence[str] = ()
) -> tuple[int, Trained]:
    """(step, trained model) of a run, from its folder alone; `assignments` change the experiment.

    Raises:
      CheckpointError: no run, no such checkpoint, or one of another model.
    """
    experiment = read_experiment(workdir)
    for assignment in assignments:
        experiment = config.override(experiment, assignment)
    batch = {
        name: jnp.zeros((1, *s.shape[1:]), s.dtype)
        for name, s in experiment.loader.shapes(experiment.data).items()
    }
    trained, frozen = jax.eval_shape(partial(experiment.task.init, batch=batch), jax.random.key(0))
    mesh = experiment.mesh.build()
    like = {"ema": trained, **({"frozen": frozen} if frozen else {})}
    like = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
        like,
        parallel.shardings(like, mesh),
    )
    store = Store(workdir)
    step, trees, _ = store.restore(like, step)
    store.close()
    return step, experiment.sampling.trained(experiment, trees["ema"], trees.get("frozen", {}))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _sample(generator, task, shape, params, frozen, keys, cond) -> Array:
    return quantised(generator(task, params, frozen, keys, cond, shape))


@dataclasses.dataclass(frozen=True)
class _Network:
    """A denoiser with its parameters as arguments; equal tasks compile to one program."""

    task: Task

    def __call__(self, params, frozen, cond, z: Video, logsnr: LogSNR) -> Video:
        return self.task.denoiser(params, frozen, cond)(z, logsnr)


def quantised(x: Video) -> UInt8[Array, "b f h w c"]:
    """[-1, 1] to 0..255, rounded."""
    return jnp.clip(jnp.round((x + 1) * 127.5), 0, 255).astype(jnp.uint8)


def _progress() -> Progress:
    console = Console(file=sys.stdout)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
