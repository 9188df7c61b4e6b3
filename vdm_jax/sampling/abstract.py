"""Sampling on shapes alone: what `vdm-jax plan` compiles and `vdm-jax export` traces."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from vdm_jax import parallel
from vdm_jax.config import ConfigError
from vdm_jax.data import sides
from vdm_jax.interfaces import Experiment
from vdm_jax.sampling.trained_model import (
    TrainedModel,
    abstract_params,
    batch_layout,
    sample_batch,
    upsample_batch,
)


def abstract_model(experiment: Experiment, mesh: jax.sharding.Mesh | None = None) -> TrainedModel:
    """The model of an experiment with shapes for parameters.

    mesh: the devices of the shapes' shardings; None is the experiment's mesh.

    Raises:
      ConfigError: the experiment cannot be sampled.
    """
    if experiment.sampling is None:
        raise ConfigError("the experiment has no `sampling`")
    like = abstract_params(experiment, mesh)
    model = experiment.sampling.trained_model(experiment, like["ema"], like.get("frozen", {}))
    if not isinstance(model, TrainedModel):
        raise ConfigError(f"sampling={experiment.sampling!r} does not make a TrainedModel")
    return model


def abstract_batch(
    model: TrainedModel, mesh: jax.sharding.Mesh
) -> tuple[jax.stages.Wrapped, tuple[Any, ...], int]:
    """(jitted function, its arguments as shapes with shardings, batch size) of sampling.

    The function is one batch of `generate` or, for super-resolution models, of `upsample`. The mesh
    may be of devices that this machine lacks.
    """
    generator, lowres = model.generator, model.task.lowres
    fill = lowres is None or generator.batch >= parallel.batch_shards(mesh.shape)
    size, sharding = batch_layout(mesh, generator.batch, fill)
    task = model.sharded_task(mesh, fill)
    shape = (size, model.data.frames, *sides(model.data.size), 3)
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), size))
    cond = jax.eval_shape(lambda: model.encode([""], [-1]))
    cond = jax.tree.map(lambda x: jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype), cond)
    if lowres is None:
        inputs, function = (keys, cond), partial(sample_batch.function, generator, task, shape)
    else:
        low = jax.eval_shape(lowres.downsample, jax.ShapeDtypeStruct(shape, jnp.float32))
        inputs = (keys, cond, jax.ShapeDtypeStruct(low.shape, jnp.uint8))
        function = partial(upsample_batch.function, generator, task)
    params = (model.params, model.frozen)
    params = parallel.with_shardings(params, parallel.shardings(params, mesh))
    inputs = parallel.with_shardings(inputs, jax.tree.map(lambda _: sharding, inputs))
    return jax.jit(function), (*params, *inputs), size
