"""Estimate memory and time of an experiment on chips that you do not have.

The training step and the sampler are compiled for the topology as `vdm-jax train` and `sample`
would compile them there. All numbers are compiled estimates, not measurements: the compiler reports
the bytes each chip needs, the bytes sent between chips, and the cycles it expects. The step time is
the longer of compute and network.

TPU topologies need libtpu (pip install 'vdm_jax[tpu]') but no TPU, GPU topologies JAX's packages
for CUDA (pip install 'jax[cuda13]') but no GPU. Without them, the report has only state bytes and
ideal times, which follow from shapes. The GPU compiler counts no cycles, so GPU times are those at
peak FLOPs and bandwidth, which no step reaches.

JAX_OPTIMIZATION_LEVEL=O1 in the environment makes compilation at least twice as fast. It reports
the same fit, and longer steps.

If a step does not fit, `plan` searches for the nearest setting that does. --sweep compiles meshes,
then batches, gradient accumulation and rematerialization, and recommends the setting with the most
clips per second that leaves a tenth of the memory free. It writes every estimate to the file of
--json at once: rerun the same command to resume an interrupted sweep.
"""

import argparse
import json
import os
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from vdm_jax import config, parallel, sampling, training
from vdm_jax.commands.describe import array_size
from vdm_jax.commands.helpers import options
from vdm_jax.commands.helpers.loading import load_experiments
from vdm_jax.commands.planning import report, search

EFFORT = "jax_optimization_level"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="EXPERIMENT",
        help="an experiment file or a run; or several, or a cascade, for a line each",
    )  # fmt: skip
    parser.add_argument(
        "--topology", required=True, type=parallel.Topology.parse, metavar="CHIP:GRID",
        help="such as v5p:4x4x4, v5e:4x4, v4:2x2x2, v6e:2x4, tpu7x:2x2x2; h100:8, h200:4x8 "
        "(4 machines of 8)",
    )  # fmt: skip
    options.add_overrides(parser, "mesh.fsdp=64")
    parser.add_argument("--sampler", action="store_true", help="also estimate sampling")
    parser.add_argument("--sweep", action="store_true", help="search for the fastest setting")
    parser.add_argument(
        "--shapes", action="store_true", help="compile nothing: report state bytes and ideal times"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="also write the numbers; -: print them instead of the report"
    )
    parser.add_argument(
        "--save", metavar="FILE", help="write the compiled step, for `vdm-jax train --executable`"
    )


def run(args: argparse.Namespace) -> None:
    topology: parallel.Topology = args.topology
    if not topology.may_be_local and not os.environ.get("JAX_PLATFORMS"):
        jax.config.update("jax_platforms", "cpu")  # this machine's accelerators are not needed
    if args.save and topology.chip.clock is None and not topology.available:
        raise config.ConfigError(
            f"--save for {topology}: the compiler selects GPU kernels by timing them; run this "
            "command on a machine with these GPUs"
        )
    experiments = [e for path in args.paths for e in load_experiments(path, args.assignments)]
    if not experiments:
        raise config.ConfigError(f"{args.paths[0]} is neither an experiment nor a run")
    if len(experiments) > 1 and (args.save or args.sweep):
        raise config.ConfigError("--save and --sweep take one experiment")
    plans: dict[str, dict[str, Any]] = {}
    for name, experiment in experiments:
        plans[name] = facts = estimate(name, experiment, topology, args)
        if args.json != "-":
            several = len(experiments) > 1
            lines = [report.summary_line(name, facts)] if several else report.report(facts)
            print("\n".join(lines), flush=True)
        if args.json not in (None, "-"):
            search.write_json(Path(args.json), facts if len(experiments) == 1 else plans)
    if args.json == "-":
        print(json.dumps(plans if len(plans) > 1 else next(iter(plans.values())), indent=2))


def estimate(
    name: str,
    experiment: training.Experiment,
    topology: parallel.Topology,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """All facts of an experiment, by their published keys."""
    try:
        mesh = None if args.shapes else topology.build(experiment.mesh)
        reason = "--shapes"
    except parallel.Unavailable as error:
        mesh, reason = None, str(error)
    if mesh is None:
        count = training.step_flops(experiment, labels=True)
        return facts_from_shapes(name, experiment, topology, count) | {"reason": reason}
    compiler, extra = compiler_versions(topology), {}
    if args.sweep:
        file = None if args.json in (None, "-") else Path(args.json)
        attempts = search.Attempts(experiment, topology, compiler, file)
        settings = search.fastest(attempts)
        experiment = config.override(experiment, *settings)
        extra = {"recommended": settings} | attempts.record()
        mesh = topology.build(experiment.mesh)
    step = parallel.estimate(*training.abstract_step(experiment, mesh), mesh, topology.chip)
    facts = facts_from_shapes(name, experiment, topology, step.flop_count) | extra
    facts |= {"estimate": "compiled", "compiler": compiler} | step.record()
    facts |= run_time(experiment, topology, step)
    if not step.fits:
        attempts = search.Attempts(experiment, topology, compiler)
        facts["nearest"] = search.nearest_fit(attempts, step.hbm_bytes)
    if args.save and step.fits:
        training.write_step(args.save, step.compiled, experiment, mesh)
    if args.sampler and can_be_sampled(experiment):
        model = sampling.abstract_model(experiment, mesh)
        function, arguments, clips = sampling.abstract_batch(model, mesh)
        sampler = parallel.estimate(function, arguments, mesh, topology.chip)
        each = sampler.step_seconds and sampler.step_seconds / clips
        facts["sampler"] = {**sampler.record(), "clips": clips, "seconds_per_clip": each}
    return facts


def can_be_sampled(experiment: training.Experiment) -> bool:
    """Whether the experiment trains a denoiser that its own generator samples."""
    return isinstance(experiment.sampling, sampling.Generator) and isinstance(
        experiment.task, training.Denoising
    )


def facts_from_shapes(
    name: str,
    experiment: training.Experiment,
    topology: parallel.Topology,
    count: parallel.FlopCount,
) -> dict[str, Any]:
    """The facts that need no compiler, and None for some that do.

    count: FLOPs of the training step.
    """
    state, frozen, batch = training.abstract_state(experiment, labels=True)
    mesh, steps = topology.shape(experiment.mesh), experiment.phase_ends[-1]
    state_bytes = parallel.bytes_per_device((state, frozen), mesh)
    ideal = count.without_remat / (topology.devices * topology.chip.flops)
    return {
        "experiment": name,
        "estimate": "shapes",
        "topology": str(topology),
        "chips": topology.chips,
        "devices": topology.devices,
        "mesh": mesh,
        "batch": experiment.loader.batch,
        "video": list(batch["video"].shape[1:]),
        "parameters": array_size(state.params),
        "frozen_parameters": array_size(frozen),
        "state_bytes": state_bytes,
        "fits": False if state_bytes > topology.chip.memory else None,
        "hbm_bytes": None,
        "hbm_limit_bytes": topology.chip.memory,
        "flops": count.without_remat,
        "repeated_flops": count.rematerialized,
        "ideal_step_seconds": ideal,
        "step_seconds": None,
        "mfu": None,
        "steps": steps,
        "ideal_chip_hours": ideal * steps * topology.chips / 3600,
    }


def compiler_versions(topology: parallel.Topology) -> dict[str, str | None]:
    """Versions of jax and the compiler, and the optimization level; None: its default."""
    level = str(getattr(jax.config, EFFORT))
    names = ("jax", *topology.compilers)
    versions = {name: version(name) if find_spec(name) else None for name in names}
    return versions | {"optimization_level": None if level == "UNKNOWN" else level}


def run_time(
    experiment: training.Experiment, topology: parallel.Topology, step: parallel.Estimate
) -> dict[str, Any]:
    """Hours and chip-hours of the whole run; None where the step time is."""
    if step.step_seconds is None:
        return {"hours": None, "chip_hours": None}
    hours = step.step_seconds * experiment.phase_ends[-1] / 3600
    return {"hours": hours, "chip_hours": hours * topology.chips}
