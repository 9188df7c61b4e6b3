"""Say what an experiment is and what it costs, without running or allocating it.

Parameters are exact. FLOPs are those of one training step as lowered, before the compiler;
the bytes of the state are those of float32 parameters, their average and the optimizer's.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import jax

from vdm_jax import config, training
from vdm_jax.checkpoints import read_experiment
from vdm_jax.commands import options


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", help="an experiment file or the folder of a run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--depth", type=int, default=2, help="levels of the parameter tree shown")
    options.overrides(parser, "task.model.channels=64")


def run(args: argparse.Namespace) -> None:
    if Path(args.experiment).is_dir():
        experiment = read_experiment(args.experiment)
        for assignment in args.assignments:
            experiment = config.override(experiment, assignment)
    else:
        experiment = training.load(args.experiment, args.assignments)
    facts, params = describe(experiment)
    if args.json:
        print(json.dumps({**facts, "experiment": config.to_json(experiment)}, indent=2))
        return
    print(f"{facts['parameters']:,} parameters; {facts['state_bytes'] / 2**30:.2f} GiB of state")
    print(f"{facts['flops']:.3e} FLOPs a training step of {facts['batch']} rows {facts['video']}")
    print(f"{facts['steps']:,} steps: {facts['flops'] * facts['steps']:.3e} FLOPs in all\n")
    for line in tree(params, args.depth):
        print(line)


def describe(experiment: training.Experiment) -> tuple[dict[str, Any], Any]:
    """The facts of an experiment by their published keys, and the shapes of its parameters."""
    batch = experiment.loader.shapes(experiment.data)
    init = partial(training.init, experiment.task, experiment.optimizer, experiment.steps)
    state, frozen = jax.eval_shape(init, jax.random.key(0), batch)
    step = training.make_step(experiment.task, experiment.optimizer, experiment.steps)
    cost = jax.jit(step).lower(state, frozen, batch).cost_analysis()
    facts = {
        "parameters": size(state.params),
        "frozen_parameters": size(frozen),
        "flops": float((cost or {}).get("flops", float("nan"))),
        "state_bytes": sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state)),
        "batch": experiment.loader.batch,
        "video": list(batch["video"].shape[1:]),
        "steps": experiment.ends[-1],
    }
    return facts, state.params


def size(tree: Any) -> int:
    """The number of elements of a tree of arrays."""
    return sum(x.size for x in jax.tree.leaves(tree))


def tree(params: Any, depth: int, indent: str = "") -> list[str]:
    """The parameter tree down to a depth, each branch with its size."""
    lines = []
    for name, child in params.items():
        shape = f"  {tuple(child.shape)}" if hasattr(child, "shape") else ""
        lines.append(f"{indent}{name:<{40 - len(indent)}}{size(child):>14,}{shape}")
        if isinstance(child, dict) and depth > 1:
            lines.extend(tree(child, depth - 1, indent + "  "))
    return lines
