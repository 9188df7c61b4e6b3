"""What several experiments cost, a line each: the stages of a cascade beside one another."""

import json
from collections.abc import Mapping
from typing import Any

import jax

from vdm_jax import parallel, training


def table(facts: Mapping[str, Mapping[str, Any]], as_json: bool) -> None:
    """A line for each experiment, and one for all together."""
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"{'':<24}{'parameters':>16}{'state GiB':>11}{'call FLOPs':>12}{'step FLOPs':>12}  rows")
    for name, f in facts.items():
        row = "x".join(map(str, f["video"]))
        print(
            f"{name:<24}{f['parameters']:>16,}{f['state_bytes'] / 2**30:>11.2f}"
            f"{f['call_flops']:>12.2e}{f['flops']:>12.2e}  {f['batch']} of {row}"
        )
    parameters, state = (sum(f[k] for f in facts.values()) for k in ("parameters", "state_bytes"))
    print(f"{'all':<24}{parameters:>16,}{state / 2**30:>11.2f}")


def step_operations(
    experiment: training.Experiment, state: Any, frozen: Any, batch: Any
) -> parallel.FlopCount:
    """Operations of a training step, of shapes."""
    step = training.make_step(experiment.task, experiment.optimizer, experiment.steps)
    return parallel.count_flops(jax.make_jaxpr(step)(state, frozen, batch))


def call_flops(experiment: training.Experiment, params: Any, frozen: Any) -> float:
    """FLOPs of the network on one row: one step of sampling without guidance.

    nan for a task whose network cannot be sampled.
    """
    task = experiment.task
    if not isinstance(task, training.Denoising):
        return float("nan")
    shapes = experiment.loader.shapes(experiment.data)
    row = {name: jax.ShapeDtypeStruct((1, *s.shape[1:]), s.dtype) for name, s in shapes.items()}

    def call(params, frozen, key, row):
        x, cond = task.draw(key, row)
        return task.denoiser(params, frozen, cond)(x, task.noise_levels(key, x, cond))

    program = jax.make_jaxpr(call)(params, frozen, jax.random.key(0), row)
    return parallel.count_flops(program).needed
