"""The training step on shapes alone: what `describe` counts and `plan` compiles."""

from functools import lru_cache, partial

import jax

from vdm_jax import parallel
from vdm_jax.training.denoising import Denoising
from vdm_jax.training.experiment import Experiment
from vdm_jax.training.state import State, init, make_step, sharded_step
from vdm_jax.types import Params

AbstractBatch = dict[str, jax.ShapeDtypeStruct]


@lru_cache(maxsize=4)
def abstract_state(
    experiment: Experiment, *, labels: bool = False
) -> tuple[State, Params, AbstractBatch]:
    """(state, frozen parameters, batch) of the training step, as shapes.

    labels: whether batches have labels.
    """
    batch = experiment.loader.shapes(experiment.data, labels=labels)
    initialize = partial(init, experiment.task, experiment.optimizer)
    state, frozen = jax.eval_shape(initialize, jax.random.key(0), batch)
    return state, frozen, batch


def abstract_step(
    experiment: Experiment, mesh: jax.sharding.Mesh
) -> tuple[jax.stages.Wrapped, tuple[State, Params, AbstractBatch]]:
    """(jitted step, its arguments as shapes with shardings): the step that `vdm-jax train` runs.

    The mesh may be of devices that this machine lacks.
    """
    state, frozen, batch = abstract_state(experiment, labels=True)
    state, frozen = (
        parallel.with_shardings(tree, parallel.shardings(tree, mesh)) for tree in (state, frozen)
    )
    sharding = parallel.batch_sharding(mesh)
    batch = parallel.with_shardings(batch, dict.fromkeys(batch, sharding))
    step = sharded_step(experiment.task, experiment.optimizer, experiment.steps, state, mesh)
    return step, (state, frozen, batch)


def step_flops(experiment: Experiment, *, labels: bool = False) -> parallel.FlopCount:
    """FLOPs of one training step on a global batch."""
    step = make_step(experiment.task, experiment.optimizer, experiment.steps)
    return parallel.count_flops(jax.make_jaxpr(step)(*abstract_state(experiment, labels=labels)))


def call_flops(experiment: Experiment) -> float:
    """FLOPs of one network call on one clip: one sampling step without guidance.

    nan for tasks other than `Denoising`.
    """
    task = experiment.task
    if not isinstance(task, Denoising):
        return float("nan")
    state, frozen, batch = abstract_state(experiment)
    clip = {name: jax.ShapeDtypeStruct((1, *s.shape[1:]), s.dtype) for name, s in batch.items()}

    def call(params, frozen, key, clip):
        x, cond = task.draw(key, clip)
        return task.denoiser(params, frozen, cond)(x, task.noise_levels(key, x, cond))

    jaxpr = jax.make_jaxpr(call)(state.params, frozen, jax.random.key(0), clip)
    return parallel.count_flops(jaxpr).without_remat
