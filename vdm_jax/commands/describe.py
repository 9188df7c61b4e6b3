"""Print the size and cost of an experiment, a run, an export or a file of weights.

Nothing is run. Parameters are exact. FLOPs are those of one training step and of one network call
on one clip: matrix products and convolutions, two per multiply-add, without rematerialization.
Several experiments, or the stages of a cascade, take one line each. State bytes are those of
float32 parameters, their average and the optimizer state.

For weights (a .safetensors or torch file, a folder of them, a diffusers pipeline): the numbers of
parameters and types, the nearest published layout, and the differences from it. --like compares
them with an experiment instead.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from vdm_jax import checkpoints, config, sampling, training
from vdm_jax.checkpoints import inspection
from vdm_jax.checkpoints.store import list_steps
from vdm_jax.checkpoints.tensors import Tensors, element_count
from vdm_jax.commands.helpers import options
from vdm_jax.commands.helpers.loading import is_run, load_experiment, load_experiments
from vdm_jax.types import Params

LISTED = 8
"""Differences that are listed; the rest are counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="an experiment file, the folder of a run or an export, or weights; or several "
        "experiments, or a cascade",
    )  # fmt: skip
    parser.add_argument("--like", metavar="EXPERIMENT", help="a file or run to compare with")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--depth", type=int, default=2, help="levels of the parameter tree (default: 2)"
    )
    options.add_overrides(parser, "task.model.channels=64")


def run(args: argparse.Namespace) -> None:
    experiments = [e for path in args.paths for e in load_experiments(path, args.assignments)]
    if len(args.paths) > 1 or len(experiments) > 1:
        print_costs({name: describe(e)[0] for name, e in experiments}, args.json)
        return
    path = Path(args.paths[0])
    if path.suffix != ".py" and not is_run(args.paths[0]) and path.exists():
        describe_weights(path, args)
        return
    experiment = load_experiment(args.paths[0], args.assignments)
    facts, params = describe(experiment)
    stored: dict[str, Any] = {}
    if path.suffix != ".py":
        stored = describe_stored(path, sampling.abstract_params(experiment))
    if args.json:
        print(json.dumps({**facts, **stored, "experiment": config.to_json(experiment)}, indent=2))
        return
    print(f"{facts['parameters']:,} parameters; {facts['state_bytes'] / 2**30:.2f} GiB of state")
    print(f"{facts['flops']:.3e} FLOPs per training step on {facts['batch']} of {facts['video']}")
    print(f"{facts['call_flops']:.3e} FLOPs per network call on one clip")
    print(f"{facts['steps']:,} steps: {facts['flops'] * facts['steps']:.3e} FLOPs in all\n")
    if stored:
        print_stored(stored)
        print()
    print("\n".join(parameter_tree(params, args.depth)))


def describe(experiment: training.Experiment) -> tuple[dict[str, Any], Params]:
    """(facts by their published keys, parameters as shapes) of an experiment."""
    state, frozen, batch = training.abstract_state(experiment)
    facts = {
        "parameters": array_size(state.params),
        "frozen_parameters": array_size(frozen),
        "flops": training.step_flops(experiment).without_remat,
        "call_flops": training.call_flops(experiment),
        "state_bytes": sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state)),
        "batch": experiment.loader.batch,
        "video": list(batch["video"].shape[1:]),
        "steps": experiment.phase_ends[-1],
    }
    return facts, state.params


def describe_stored(folder: Path, like: dict[str, Any]) -> dict[str, Any]:
    """Facts of the parameters in a run or an export, and how they differ from its experiment."""
    steps = list_steps(folder)
    if not steps and checkpoints.export_of(folder) is None:
        return {}
    step, tensors = checkpoints.parameters(folder)
    return {
        "kind": "a run" if steps else "an export",
        "step": step,
        "stored": inspection.summarize(tensors),
        "fits": "its experiment",
        "differs": inspection.differences(tensors, like),
    }


def describe_weights(path: Path, args: argparse.Namespace) -> None:
    """Prints the facts of files of weights that are no run."""
    entries = []
    for name, tensors in inspection.read_weight_sets(path).items():
        entry = {"kind": f"weights {name}".strip(), "stored": inspection.summarize(tensors)}
        if args.like:
            like = sampling.abstract_params(load_experiment(args.like, args.assignments))
            entry |= {"fits": args.like, "differs": inspection.differences(tensors, like)}
        else:
            layout, fit, differs = inspection.nearest_layout(tensors)
            fits = f"layout {layout}" if fit else None
            entry |= {"fits": fits, "match": round(fit, 4), "differs": differs}
        entries.append(entry)
        if not args.json:
            print_stored(entry)
            print("\n".join(["", *tensor_tree(tensors, args.depth), ""]))
    if args.json:
        print(json.dumps(entries[0] if len(entries) == 1 else entries, indent=2))


def print_stored(entry: Mapping[str, Any]) -> None:
    """Prints the facts of one set of parameters."""
    stored = entry["stored"]
    types = ", ".join(f"{count} {dtype}" for dtype, count in stored["dtypes"].items())
    kind = entry["kind"] + (f" at step {entry['step']}" if "step" in entry else "")
    count, size = f"{stored['parameters']:,} parameters", f"{stored['bytes'] / 2**20:.1f} MiB"
    print(f"{kind}: {count} in {stored['tensors']} tensors ({types}), {size}")
    if entry["fits"] is None:
        print("fits no known layout")
    elif entry["differs"] or entry.get("match", 1.0) < 1:
        match = f" ({entry['match']:.0%})" if "match" in entry else ""
        print(f"nearest: {entry['fits']}{match}; differences:")
        for line in shorten(entry["differs"]):
            print(f"  {line}")
    else:
        print(f"fits {entry['fits']}")


def print_costs(facts: Mapping[str, Mapping[str, Any]], as_json: bool) -> None:
    """Prints a line for each experiment, and the sums."""
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"{'':<24}{'parameters':>16}{'state GiB':>11}{'call FLOPs':>12}{'step FLOPs':>12}  batch")
    for name, f in facts.items():
        video = "x".join(map(str, f["video"]))
        print(
            f"{name:<24}{f['parameters']:>16,}{f['state_bytes'] / 2**30:>11.2f}"
            f"{f['call_flops']:>12.2e}{f['flops']:>12.2e}  {f['batch']} of {video}"
        )
    parameters, state = (sum(f[k] for f in facts.values()) for k in ("parameters", "state_bytes"))
    print(f"{'all':<24}{parameters:>16,}{state / 2**30:>11.2f}")


def array_size(tree: Any) -> int:
    """The number of elements of a tree of arrays."""
    return sum(x.size for x in jax.tree.leaves(tree))


def parameter_tree(params: Params, depth: int, indent: str = "") -> list[str]:
    """A line for each branch of a parameter tree down to a depth, with its size."""
    lines = []
    for name, child in params.items():
        shape = f"  {tuple(child.shape)}" if hasattr(child, "shape") else ""
        lines.append(f"{indent}{name:<{40 - len(indent)}}{array_size(child):>14,}{shape}")
        if isinstance(child, dict) and depth > 1:
            lines.extend(parameter_tree(child, depth - 1, indent + "  "))
    return lines


def tensor_tree(tensors: Tensors, depth: int) -> list[str]:
    """A line for each prefix of the tensors' names down to a depth, with its size."""
    branches: dict[str, tuple[int, str]] = {}
    for name in tensors:
        parts = name.replace("/", ".").split(".")
        branch, shape = ".".join(parts[:depth]), tensors.shape(name)
        detail = f"  {tensors.dtype(name)} {shape}" if len(parts) <= depth else ""
        count, _ = branches.get(branch, (0, ""))
        branches[branch] = count + element_count(shape), detail
    return [f"{branch:<40}{count:>14,}{detail}" for branch, (count, detail) in branches.items()]


def shorten(lines: Sequence[str]) -> list[str]:
    """The first `LISTED` lines, and the number of the others."""
    more = len(lines) - LISTED
    return [*lines[:LISTED], *([f"... and {more} more"] if more > 0 else [])]
