"""Everything that a run carries from one step to the next, and the step itself."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from vdm_jax import nn, parallel
from vdm_jax.training.optimizers import Adam, leafwise
from vdm_jax.training.task import Batch, PhasedTask, Task, phase_ends
from vdm_jax.types import Key, Metrics, Params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """step: updates attempted. skipped: those refused for a non-finite gradient; streak: in a row.

    Of a run in parts, `skipped` counts those of the present part.

    The randomness of step k is `fold_in(key, k)`; `key` is raw data, which checkpoints can hold.
    """

    step: jax.Array
    params: Params
    ema: Params
    optimizer: Any
    key: jax.Array
    skipped: jax.Array
    streak: jax.Array


def init(task: Task, optimizer: Adam, key: Key, batch: Batch) -> tuple[State, Params]:
    """The state before the first step, and the frozen parameters."""
    key_params, key_run = jax.random.split(key)
    params, frozen = task.init(key_params, batch)
    optimizer_state = optimizer.init(params)
    # Every buffer is one of its own: the step gives them all away.
    ema = jax.tree.map(jnp.copy, params)
    step, skipped, streak = (jnp.zeros((), jnp.int32) for _ in range(3))
    key_data = jax.random.key_data(key_run)
    return State(step, params, ema, optimizer_state, key_data, skipped, streak), frozen


def continued(state: State, params: Params, step: int, bounds: tuple[int, ...]) -> State:
    """A beginning with these parameters, trained and averaged, at a step of a run in parts.

    The optimizer remembers no gradients, and its rate goes on where that of the part was.
    """

    def count(value: int) -> jax.Array:  # in a buffer of its own
        return jax.device_put(np.int32(value), state.step.sharding)

    first = int(_part(jnp.int32(step), bounds)[0])
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
    """`(state, frozen, batch) -> (state, metrics)`: one update, of whichever part it belongs to.

    steps: the length of a part of length 1, which is the whole run where there are no parts.
    An update whose loss or gradient's norm is not finite changes nothing but the counts; the metric
    `bad` is then the index of the first gradient at fault among the leaves, else -1.
    """
    bounds = phase_ends(task, steps)

    def step(state: State, frozen: Params, batch: Batch) -> tuple[State, Metrics]:
        first, length = _part(state.step, bounds)
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        loss, metrics, grads = _gradient(task, optimizer.accumulate, state, frozen, key, batch)

        squares = [jnp.square(g).sum() for g in jax.tree.leaves(grads)]
        norm = jnp.sqrt(sum(squares))
        finite = jnp.isfinite(jnp.stack(squares))
        good = jnp.isfinite(loss) & finite.all()
        transform, updated = optimizer.transform(length, norm), state.step - first - state.skipped

        def follow(grad, kept):
            params, ema, memory = kept
            update, memory = transform.update(grad, memory, params)
            params = optax.apply_updates(params, update)
            ema = optimizer.average(ema, params, updated)
            return jax.tree.map(partial(jnp.where, good), (params, ema, memory), kept)

        kept = (state.params, state.ema, state.optimizer)
        params, ema, memory = leafwise(follow, grads, kept)
        bad = (~good).astype(jnp.int32)
        new_state = State(
            step=state.step + 1,
            params=params,
            ema=ema,
            optimizer=memory,
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
    """`make_step`, to be lowered where `state` is (arrays or shapes), which it takes over."""
    step = make_step(task, optimizer, steps)
    if mesh.size > 1:
        step = nn.logical_axis_rules(parallel.MeshRules(mesh))(step)
    places = jax.tree.map(lambda x: x.sharding, state)
    return jax.jit(step, donate_argnums=0, out_shardings=(places, None))


def _part(step: jax.Array, bounds: tuple[int, ...]) -> tuple[jax.Array | int, jax.Array | int]:
    """The first step of the part that a step belongs to, and the length of that part."""
    if len(bounds) == 1:
        return 0, bounds[0]
    begins, over = jnp.asarray((0, *bounds[:-1])), jnp.asarray(bounds)
    part = jnp.minimum(jnp.searchsorted(over, step, side="right"), len(bounds) - 1)
    return begins[part], (over - begins)[part]


def enter_phase(
    task: PhasedTask, optimizer: Adam, state: State, frozen: Params
) -> tuple[State, Params]:
    """The state and the frozen parameters with which a part begins, from those before it."""
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


def _gradient(task: Task, parts: int, state: State, frozen: Params, key: Key, batch: Batch):
    """The loss, the metrics and the mean gradient of a batch, in `parts` parts."""
    gradient = jax.value_and_grad(task.loss, has_aux=True)
    if parts == 1:
        (loss, metrics), grads = gradient(state.params, frozen, key, batch)
        return loss, metrics, grads

    rows = jax.tree.leaves(batch)[0].shape[0]
    if rows % parts:
        raise ValueError(
            f"optimizer.accumulate is {parts}, and a batch of {rows} cannot be cut into {parts} "
            "equal parts: make loader.batch a multiple of it"
        )

    def cut(x):  # every device keeps its own rows
        return jnp.moveaxis(x.reshape(x.shape[0] // parts, parts, *x.shape[1:]), 1, 0)

    @partial(jax.jit, inline=True)  # its shapes are asked for first: it is traced once
    def part(index, rows):
        return gradient(state.params, frozen, jax.random.fold_in(key, index), rows)

    def add(total, piece):
        return jax.tree.map(jnp.add, total, part(*piece)), None

    pieces = (jnp.arange(parts), jax.tree.map(cut, batch))
    like = jax.eval_shape(part, *jax.tree.map(lambda x: x[0], pieces))
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)
    total, _ = jax.lax.scan(add, nothing, pieces)  # the step is compiled once
    (loss, metrics), grads = jax.tree.map(lambda x: x / parts, total)
    return loss, metrics, grads
