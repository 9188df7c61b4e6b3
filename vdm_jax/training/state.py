"""The state of a training run, and the training step."""

import dataclasses
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from vdm_jax import nn, parallel
from vdm_jax.interfaces import Batch, PhasedTask, Task
from vdm_jax.training.optimizers import Adam, leafwise
from vdm_jax.training.phases import phase_ends
from vdm_jax.types import Key, Metrics, Params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """All that changes from step to step, but for frozen parameters.

    step: updates attempted.
    params: the trained parameters.
    ema: their average.
    optimizer: the optimizer's state.
    key: raw data of a PRNG key, which checkpoints can store; step k draws from `fold_in(key, k)`.
    skipped: updates of this phase skipped for a non-finite gradient.
    streak: the last updates skipped in a row.
    """

    step: jax.Array
    params: Params
    ema: Params
    optimizer: optax.OptState
    key: jax.Array
    skipped: jax.Array
    streak: jax.Array


def init(task: Task, optimizer: Adam, key: Key, batch: Batch) -> tuple[State, Params]:
    """The state before the first step, and the frozen parameters."""
    key_params, key_run = jax.random.split(key)
    params, frozen = task.init(key_params, batch)
    optimizer_state = optimizer.init(params)
    # The step donates every buffer, so no two fields share one.
    ema = jax.tree.map(jnp.copy, params)
    step, skipped, streak = (jnp.zeros((), jnp.int32) for _ in range(3))
    key_data = jax.random.key_data(key_run)
    return State(step, params, ema, optimizer_state, key_data, skipped, streak), frozen


def replace_params(state: State, params: Params, step: int, ends: tuple[int, ...]) -> State:
    """An initial state with these parameters, trained and averaged, at a step of a run.

    The optimizer has no gradients in its moments; its learning rate continues at this step of the
    phase.

    ends: the step at which each phase ends.
    """

    def count(value: int) -> jax.Array:  # in a buffer of its own
        return jax.device_put(np.int32(value), state.step.sharding)

    first = int(_phase_at(jnp.int32(step), ends)[0])
    return dataclasses.replace(
        state,
        step=count(step),
        params=params,
        ema=jax.tree.map(jnp.copy, params),
        optimizer=jax.tree.map(
            lambda x: count(step - first) if x.dtype == jnp.int32 else x, state.optimizer
        ),
    )


Step = Callable[[State, Params, Batch], tuple[State, Metrics]]


def make_step(task: Task, optimizer: Adam, steps: int) -> Step:
    """`(state, frozen, batch) -> (state, metrics)`: one update, in any phase.

    An update with a non-finite loss or gradient changes only the counters; the metric `bad` is then
    the index of the first such gradient among the leaves, else -1.

    steps: the updates of a phase of length 1, which is the whole run for a task without phases.
    """
    ends = phase_ends(task, steps)

    def step(state: State, frozen: Params, batch: Batch) -> tuple[State, Metrics]:
        first, length = _phase_at(state.step, ends)
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        loss, metrics, grads = _gradient(task, optimizer.accumulate, state, frozen, key, batch)

        squares = [jnp.square(g).sum() for g in jax.tree.leaves(grads)]
        norm = jnp.sqrt(sum(squares))
        finite = jnp.isfinite(jnp.stack(squares))
        good = jnp.isfinite(loss) & finite.all()
        transform, updates = optimizer.transform(length, norm), state.step - first - state.skipped

        def update_leaf(grad, old):
            params, ema, moments = old
            update, moments = transform.update(grad, moments, params)
            params = optax.apply_updates(params, update)
            ema = optimizer.average(ema, params, updates)
            return jax.tree.map(partial(jnp.where, good), (params, ema, moments), old)

        old = (state.params, state.ema, state.optimizer)
        params, ema, moments = leafwise(update_leaf, grads, old)
        bad = (~good).astype(jnp.int32)
        new_state = State(
            step=state.step + 1,
            params=params,
            ema=ema,
            optimizer=moments,
            key=state.key,
            skipped=state.skipped + bad,
            streak=(state.streak + bad) * bad,
        )
        one = jnp.ones(())
        metrics = {
            "task": metrics
            | {
                "loss": jnp.stack([loss, one]),
                "gradient_norm": jnp.stack([norm, one]),
            },
            "accepted": good,
            "learning_rate": optimizer.rate(state.step - first, length),
            "skipped": new_state.skipped,
            "streak": new_state.streak,
            "bad": jnp.where(finite.all(), -1, jnp.argmin(finite)),
        }
        return new_state, metrics

    return step


def sharded_step(
    task: Task, optimizer: Adam, steps: int, state: State, mesh: jax.sharding.Mesh
) -> jax.stages.Wrapped:
    """`make_step` under `jax.jit`, sharded as `state` (arrays or shapes), which it donates."""
    step = make_step(task, optimizer, steps)
    if mesh.size > 1:
        step = nn.logical_axis_rules(parallel.MeshRules(mesh))(step)
    shardings = jax.tree.map(lambda x: x.sharding, state)
    return jax.jit(step, donate_argnums=0, out_shardings=(shardings, None))


def _phase_at(step: jax.Array, ends: tuple[int, ...]) -> tuple[jax.Array | int, jax.Array | int]:
    """(first step, length) of the phase that a step belongs to."""
    if len(ends) == 1:
        return 0, ends[0]
    first, end = jnp.asarray((0, *ends[:-1])), jnp.asarray(ends)
    phase = jnp.minimum(jnp.searchsorted(end, step, side="right"), len(ends) - 1)
    return first[phase], (end - first)[phase]


def enter_phase(
    task: PhasedTask, optimizer: Adam, state: State, frozen: Params
) -> tuple[State, Params]:
    """The state and the frozen parameters at the start of a phase, from those before it."""
    params, frozen = task.next_phase(state.ema, frozen)
    new = dataclasses.replace(
        state,
        params=params,
        ema=jax.tree.map(jnp.copy, params),
        optimizer=optimizer.init(params),
        skipped=jnp.zeros_like(state.skipped),
        streak=jnp.zeros_like(state.streak),
    )
    return new, frozen


def _gradient(
    task: Task, accumulate: int, state: State, frozen: Params, key: Key, batch: Batch
) -> tuple[jax.Array, Metrics, Params]:
    """The loss, the metrics and the mean gradient of a batch, from `accumulate` micro-batches."""
    gradient = jax.value_and_grad(task.loss, has_aux=True)
    if accumulate == 1:
        (loss, metrics), grads = gradient(state.params, frozen, key, batch)
        return loss, metrics, grads

    size = jax.tree.leaves(batch)[0].shape[0]
    if size % accumulate:
        raise ValueError(
            f"optimizer.accumulate={accumulate} does not divide a batch of {size} into equal "
            f"micro-batches: make loader.batch a multiple of {accumulate}"
        )

    def split(x):  # every device keeps its own batch elements
        return jnp.moveaxis(x.reshape(x.shape[0] // accumulate, accumulate, *x.shape[1:]), 1, 0)

    @partial(jax.jit, inline=True)  # traced once, although eval_shape traces it first
    def micro_gradient(index, elements):
        return gradient(state.params, frozen, jax.random.fold_in(key, index), elements)

    def add(total, micro_batch):
        return jax.tree.map(jnp.add, total, micro_gradient(*micro_batch)), None

    micro_batches = (jnp.arange(accumulate), jax.tree.map(split, batch))
    like = jax.eval_shape(micro_gradient, *jax.tree.map(lambda x: x[0], micro_batches))
    zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)
    total, _ = jax.lax.scan(add, zero, micro_batches)  # compiles the gradient once
    (loss, metrics), grads = jax.tree.map(lambda x: x / accumulate, total)
    return loss, metrics, grads
