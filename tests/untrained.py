"""A run in a folder whose parameters are random, the zero-initialised ones too: made in no time."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import tiny

from vdm_jax import data, diffusion, models, nn, sampling
from vdm_jax.checkpoints import Store, write_experiment

WORDS = data.WordTokenizer(data.MovingShapes().vocabulary, length=6)
CAPTIONS = ["a small red circle moving left", "a large blue square standing still", ""]


def experiment():
    """A tiny video model of captions, guided."""
    reads = nn.Embedding(width=8, layers=1, inputs=(nn.LogSNR(), nn.PooledText()))
    network = tiny.network(
        channels=8,
        levels=(models.Level(1, (), blocks=0),),
        embedding=reads,
        text=models.WordEncoder(WORDS.size, features=4),
    )
    generator = sampling.Generator(sampler=diffusion.Ancestral(steps=3), guidance=2.0, batch=8)
    made = tiny.denoising(loader=data.Loader(batch=8, text=WORDS), sampling=generator)
    return dataclasses.replace(made, task=dataclasses.replace(made.task, model=network))


def run(folder: Path, step: int = 3):
    """Writes the run of an experiment as of a step; the parameters that it has."""
    made = experiment()
    like = sampling.abstract_params(made)
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda x: jax.device_put(0.3 * random.normal(size=x.shape).astype(x.dtype), x.sharding),
        like["ema"],
    )
    write_experiment(folder, made)
    store = Store(folder)
    store.save(step, {"ema": params}, {"next_batch": step})
    store.close()
    return params
