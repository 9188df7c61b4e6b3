"""Say what an experiment, a run, an export or a file of weights is, without running it.

Parameters are exact. FLOPs are those of one training step, and of one call of the network on one
row: products of matrices and convolutions, two for each pair of numbers, without what is computed
again to save memory. Of several experiments, or the stages of a cascade, there is a line each. The
bytes of the state are those of float32 parameters, their average and the optimizer's.

Of weights (a .safetensors or torch file, a folder of them, a pipeline of diffusers) it says how
many there are and of which types, which published layout they fit, and what differs. With --like,
it compares them with an experiment.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax

from vdm_jax import checkpoints, config, sampling, training
from vdm_jax.checkpoints.store import EXPERIMENT, steps_in
from vdm_jax.commands import flops_table, options, weights_report


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="an experiment file, the folder of a run or an export, or weights; or several "
        "experiments, or a cascade of them",
    )  # fmt: skip
    parser.add_argument("--like", metavar="EXPERIMENT", help="a file or run to compare with")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--depth", type=int, default=2, help="levels of the parameter tree shown")
    options.overrides(parser, "task.model.channels=64")


def run(args: argparse.Namespace) -> None:
    several = [pair for path in args.paths for pair in members(path, args.assignments)]
    if len(args.paths) > 1 or len(several) > 1:
        return flops_table.table({name: describe(e)[0] for name, e in several}, args.json)
    path = Path(args.paths[0])
    if path.suffix != ".py" and not (path / EXPERIMENT).exists() and path.exists():
        return weights(path, args)
    experiment = opened(args.paths[0], args.assignments)
    facts, params = describe(experiment)
    stored = {} if path.suffix == ".py" else parameters(path, sampling.abstract_params(experiment))
    if args.json:
        print(json.dumps({**facts, **stored, "experiment": config.to_json(experiment)}, indent=2))
        return None
    print(f"{facts['parameters']:,} parameters; {facts['state_bytes'] / 2**30:.2f} GiB of state")
    print(f"{facts['flops']:.3e} FLOPs a training step of {facts['batch']} rows {facts['video']}")
    print(f"{facts['call_flops']:.3e} FLOPs a call of one row")
    print(f"{facts['steps']:,} steps: {facts['flops'] * facts['steps']:.3e} FLOPs in all\n")
    if stored:
        say(stored)
        print()
    for line in tree(params, args.depth):
        print(line)
    return None


def members(path: str, assignments: Sequence[str]) -> list[tuple[str, training.Experiment]]:
    """The experiments of a cascade's stages, or the one of a file or a run, each by its name."""
    if not path.endswith(".py"):
        is_run = (Path(path) / EXPERIMENT).exists()
        return [(Path(path).name, opened(path, assignments))] if is_run else []
    node = config.load(path, ("experiment", "cascade"), assignments)
    if isinstance(node, sampling.Cascade):
        return list(zip((s.name for s in node.stages), node.experiments(), strict=True))
    return [(Path(path).stem, node)]


def opened(path: str, assignments: Sequence[str] = ()) -> training.Experiment:
    """The experiment of a file or of a run."""
    if not Path(path).is_dir():
        return training.load(path, assignments)
    return config.override(checkpoints.read_experiment(path), *assignments)


def parameters(folder: Path, like: dict[str, Any]) -> dict[str, Any]:
    """What a run or an export has stored, and how it differs from its experiment."""
    if not steps_in(folder) and checkpoints.export_of(folder) is None:
        return {}
    step, tensors = checkpoints.parameters(folder)
    kind = "a run" if steps_in(folder) else "an export"
    differs = weights_report.against(tensors, like)
    facts = weights_report.facts(tensors)
    return {
        "kind": kind,
        "step": step,
        "stored": facts,
        "fits": "its experiment",
        "differs": differs,
    }


def weights(path: Path, args: argparse.Namespace) -> None:
    """Describes files that are no run: whose they are is to be found out."""
    found = []
    for name, tensors in weights_report.sets(path).items():
        entry = {"kind": f"weights {name}".strip(), "stored": weights_report.facts(tensors)}
        if args.like:
            like = sampling.abstract_params(opened(args.like, args.assignments))
            entry |= {"fits": args.like, "differs": weights_report.against(tensors, like)}
        else:
            layout, fit, differs = weights_report.layout(tensors)
            fits = f"layout {layout}" if fit else None
            entry |= {"fits": fits, "match": round(fit, 4), "differs": differs}
        found.append(entry)
        if not args.json:
            say(entry)
            print("\n".join(["", *weights_report.table(tensors, args.depth), ""]))
    if args.json:
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))


def say(entry: dict[str, Any]) -> None:
    """One set of parameters in words."""
    stored = entry["stored"]
    types = ", ".join(f"{count} {dtype}" for dtype, count in stored["dtypes"].items())
    what = entry["kind"] + (f" of step {entry['step']}" if "step" in entry else "")
    count, size = f"{stored['parameters']:,} parameters", f"{stored['bytes'] / 2**20:.1f} MiB"
    print(f"{what}: {count} in {stored['tensors']} tensors ({types}), {size}")
    if entry["fits"] is None:
        print("fits no layout that is known")
    elif entry["differs"] or entry.get("match", 1.0) < 1:
        share = f" ({entry['match']:.0%})" if "match" in entry else ""
        print("\n  ".join([f"nearest is {entry['fits']}{share}; it differs:",
                           *weights_report.some(entry["differs"])]))  # fmt: skip
    else:
        print(f"fits {entry['fits']}")


def describe(experiment: training.Experiment) -> tuple[dict[str, Any], Any]:
    """The facts of an experiment by their published keys, and the shapes of its parameters."""
    batch = experiment.loader.shapes(experiment.data)
    init = partial(training.init, experiment.task, experiment.optimizer)
    state, frozen = jax.eval_shape(init, jax.random.key(0), batch)
    facts = {
        "parameters": size(state.params),
        "frozen_parameters": size(frozen),
        "flops": flops_table.step_operations(experiment, state, frozen, batch).needed,
        "call_flops": flops_table.call_flops(experiment, state.params, frozen),
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
