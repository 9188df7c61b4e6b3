"""Say what an experiment will need and take on chips that are not here, by compiling it for them.

The training step and the sampler are compiled for the topology as `vdm-jax train` and `sample`
would compile them there. All numbers are compiled estimates: the compiler says how many bytes each
chip needs, what is sent between chips, and how many cycles it expects; nothing is measured. The
time of a step is the longer of computing and sending.

It needs libtpu (pip install 'vdm_jax[tpu]'), and no TPU; for GPUs JAX's packages for CUDA (pip
install 'jax[cuda13]'), and no GPU. Without them it says what shapes alone say: the bytes of the
state and the ideal times. The compiler for GPUs knows what fits, but expects no times: those are at
all of the peak, which no step reaches.

With JAX_OPTIMIZATION_LEVEL=O1 in the environment the compiler looks less for fast kernels: it is
done in half of the time or less, knows as well what fits, and expects longer steps.

Where a step does not fit, it looks for the nearest setting that does. --sweep compiles one mesh
after another, then batches, parts of them and levels that are computed again, and recommends the
fastest that leaves a tenth of the memory free; batches are compared by their rows a second. What it
found is in the file of --json after each, and a sweep that was stopped goes on from there.
"""

import argparse
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from vdm_jax import config, parallel, training
from vdm_jax.commands import flops_table, options, plan_search, planning
from vdm_jax.commands.describe import members, size
from vdm_jax.parallel.chips import GIB

EFFORT = "jax_optimization_level"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="EXPERIMENT",
        help="an experiment file or a run; or several, or a cascade, for a line each",
    )  # fmt: skip
    parser.add_argument(
        "--topology", required=True, type=parallel.Topology.parse, metavar="CHIP:GRID",
        help="such as v5p:4x4x4, v5e:4x4, v4:2x2x2, v6e:2x4, tpu7x:2x2x2; h100:8, h200:4x8 "
        "(4 machines of 8)",
    )  # fmt: skip
    options.overrides(parser, "mesh.fsdp=64")
    parser.add_argument("--sampler", action="store_true", help="plan the sampler too")
    parser.add_argument("--sweep", action="store_true", help="look for the best setting")
    parser.add_argument(
        "--shapes", action="store_true", help="compile nothing: say what shapes alone say"
    )
    parser.add_argument("--json", metavar="FILE", help="write the numbers; - prints them alone")
    parser.add_argument(
        "--save", metavar="FILE", help="write the compiled step, for `vdm-jax train --executable`"
    )


def run(args: argparse.Namespace) -> None:
    topology: parallel.Topology = args.topology
    if not topology.sought and not os.environ.get("JAX_PLATFORMS"):
        jax.config.update("jax_platforms", "cpu")  # chips of this machine are not asked for
    if args.save and topology.chip.clock is None and not topology.at_hand:
        raise config.ConfigError(
            f"--save for {topology}: the fastest kernels are found by trying them, so the "
            "executable has to be made where such GPUs are"
        )
    several = [pair for path in args.paths for pair in members(path, args.assignments)]
    if not several:
        raise config.ConfigError(f"{args.paths[0]} is neither an experiment nor a run of one")
    if len(several) > 1 and (args.save or args.sweep):
        raise config.ConfigError("--save and --sweep are for one experiment")
    found = {}
    for name, experiment in several:
        found[name] = facts = planned(name, experiment, topology, args)
        if args.json != "-":
            lines = [line(name, facts)] if len(several) > 1 else said(facts)
            print("\n".join(lines), flush=True)
        if args.json not in (None, "-"):
            only = facts if len(several) == 1 else found
            plan_search.write(Path(args.json), only)
    if args.json == "-":
        print(json.dumps(found if len(found) > 1 else next(iter(found.values())), indent=2))


def planned(
    name: str,
    experiment: training.Experiment,
    topology: parallel.Topology,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """All that is found out of an experiment, by published keys."""
    try:
        mesh = None if args.shapes else topology.build(experiment.mesh)
        reason = "as asked"
    except parallel.Unavailable as error:
        mesh, reason = None, str(error)
    if mesh is None:
        counted = flops_table.step_operations(experiment, *planning.shapes(experiment))
        return known(name, experiment, topology, counted) | {"reason": reason}
    by, extra = compiler(topology), {}
    if args.sweep:
        kept = None if args.json in (None, "-") else Path(args.json)
        sought = plan_search.Attempts(experiment, topology, by, kept)
        settings = plan_search.fastest(sought)
        experiment = config.override(experiment, *settings)
        extra = {"recommended": settings} | sought.record()
        mesh = topology.build(experiment.mesh)
    step = parallel.estimate(*planning.training_step(experiment, mesh), mesh, topology.chip)
    facts = known(name, experiment, topology, step.operations) | extra
    facts |= (
        {"estimate": "compiled", "compiler": by}
        | step.record()
        | course(experiment, topology, step)
    )
    if not step.fits:
        near = plan_search.Attempts(experiment, topology, by)
        facts["nearest"] = plan_search.nearest(near, step.hbm_bytes)
    if args.save and step.fits:
        training.write_step(args.save, step.compiled, experiment, mesh)
    drawn = planning.sampler(experiment, mesh) if args.sampler else None
    if drawn is not None:
        program, count = drawn
        found = parallel.estimate(*program, mesh, topology.chip)
        each = found.step_seconds and found.step_seconds / count
        facts["sampler"] = {**found.record(), "clips": count, "seconds_per_clip": each}
    return facts


def known(
    name: str,
    experiment: training.Experiment,
    topology: parallel.Topology,
    counted: parallel.FlopCount,
) -> dict[str, Any]:
    """What is known of an experiment without a compiler, and the keys of what is not."""
    state, frozen, batch = planning.shapes(experiment)
    mesh = topology.shape(experiment.mesh)
    kept = planning.bytes_each((state, frozen), mesh)
    ideal = counted.needed / (topology.devices * topology.chip.flops)
    return {
        "experiment": name,
        "estimate": "shapes",
        "topology": str(topology),
        "chips": topology.chips,
        "devices": topology.devices,
        "mesh": mesh,
        "batch": experiment.loader.batch,
        "video": list(batch["video"].shape[1:]),
        "parameters": size(state.params),
        "frozen_parameters": size(frozen),
        "state_bytes": kept,
        "fits": False if kept > topology.chip.memory else None,
        "hbm_bytes": None,
        "hbm_limit_bytes": topology.chip.memory,
        "flops": counted.needed,
        "repeated_flops": counted.rematerialized,
        "ideal_step_seconds": ideal,
        "step_seconds": None,
        "mfu": None,
        "steps": experiment.ends[-1],
        "ideal_chip_hours": ideal * experiment.ends[-1] * topology.chips / 3600,
    }


def compiler(topology: parallel.Topology) -> dict[str, str | None]:
    """Versions, and how hard the compiler was told to try (None: as it likes)."""
    level = str(getattr(jax.config, EFFORT))
    names = ("jax", *topology.compilers)
    found = {name: version(name) if find_spec(name) else None for name in names}
    return found | {"optimization_level": None if level == "UNKNOWN" else level}


def course(
    experiment: training.Experiment, topology: parallel.Topology, step: parallel.Estimate
) -> dict[str, Any]:
    """How long the whole run takes."""
    if step.step_seconds is None:
        return {"hours": None, "chip_hours": None}
    hours = step.step_seconds * experiment.ends[-1] / 3600
    return {"hours": hours, "chip_hours": hours * topology.chips}


def line(name: str, facts: Mapping[str, Any]) -> str:
    """An experiment in a line."""
    start = f"{name:<24}{facts['parameters']:>16,}"
    if facts["estimate"] == "shapes" or facts["step_seconds"] is None:
        needs = facts["hbm_bytes"] or facts["state_bytes"]
        what = "of state, by shapes" if facts["hbm_bytes"] is None else "does not fit"
        return f"{start}{needs / GIB:>9.2f} GiB {what}"
    return (
        f"{start}{facts['hbm_bytes'] / GIB:>9.2f} GiB{facts['step_seconds']:>10.3f} s"
        f"{facts['mfu']:>7.0%}{facts['chip_hours']:>14,.0f} chip-hours"
    )


def said(facts: Mapping[str, Any]) -> list[str]:
    """The facts of one experiment in words."""
    mesh = ", ".join(f"{axis}={n}" for axis, n in facts["mesh"].items())
    video = "x".join(map(str, facts["video"]))
    lines = [
        f"{facts['experiment']} on {facts['topology']}: {facts['chips']} chips, {mesh}",
        f"  parameters  {facts['parameters']:,}, and {facts['frozen_parameters']:,} frozen",
        f"  batch       {facts['batch']} of {video}",
        f"  operations  {facts['flops']:.3e} a step, and {facts['repeated_flops']:.3e} computed "
        "again to save memory",
    ]
    if "recommended" in facts:
        lines.insert(1, "  recommended " + " ".join(f"--set {s}" for s in facts["recommended"]))
    if facts["estimate"] == "shapes":
        ideal, hours = facts["ideal_step_seconds"], facts["ideal_chip_hours"]
        limit = facts["hbm_limit_bytes"] / GIB
        full = f", of {limit:.0f}: too much" if facts["fits"] is False else ""
        return [
            *lines,
            f"  by shapes   {facts['state_bytes'] / GIB:.2f} GiB of state a device{full}",
            f"  ideally     {ideal:.4g} s a step at all of the peak, {2 * ideal:.4g} at half",
            f"              {hours:,.0f} chip-hours for {facts['steps']:,} steps, {2 * hours:,.0f}",
            f"  not compiled: {facts.get('reason', 'as asked')}",
        ]
    lines.append("  compiled estimates, none of them measured:")
    lines += [f"  {text}" for text in program(facts)]
    said_by = [f"{name} {value}" for name, value in facts["compiler"].items() if value]
    lines.append(f"    by        {', '.join(said_by)}")
    if facts["step_seconds"] is not None:
        best = "at best " if facts["compiler_seconds"] is None else ""
        lines.append(
            f"    run       {facts['steps']:,} steps in {best}{facts['hours']:,.1f} hours: "
            f"{facts['chip_hours']:,.0f} chip-hours"
        )
    if facts.get("nearest"):
        near = facts["nearest"]
        lines.append(
            f"    fits with {' '.join('--set ' + s for s in near['settings'])} "
            f"({near['hbm_bytes'] / GIB:.2f} GiB, {near['step_seconds']:.4g} s a step)"
        )
    elif not facts["fits"]:
        lines.append("    no near setting was found that fits: take a larger grid")
    if facts.get("sampler"):
        drawn = facts["sampler"]
        lines += [f"  sampler, {drawn['clips']} clips at once:"]
        lines += [f"  {text}" for text in program(drawn)]
        if drawn["seconds_per_clip"] is not None:
            lines.append(f"    clip      {drawn['seconds_per_clip']:.4g} s")
    return lines


def program(facts: Mapping[str, Any]) -> list[str]:
    """What one program needs and takes, in words."""
    needed, limit = facts["hbm_bytes"] / GIB, facts["hbm_limit_bytes"] / GIB
    spare = facts["hbm_spare_bytes"] / GIB
    memory = f"  memory    {needed:.2f} of {limit:.2f} GiB a device: "
    if facts["step_seconds"] is None:
        return [memory + f"does not fit, {-spare:.2f} GiB too much"]
    kinds = ("argument", "temporary", "output", "aliased", "code")
    parts = ", ".join(f"{kind} {facts[f'{kind}_bytes'] / GIB:.2f}" for kind in kinds)
    sent = ", ".join(f"{size:.3e} along {axes}" for axes, size in facts["collective_bytes"].items())
    verdict = "fits" if facts["fits"] else "does not fit"
    lines = [
        memory + f"{verdict}, {spare:.2f} GiB to spare",
        f"            {parts}",
        f"  sent      {sent or 'nothing'}, in bytes a device",
    ]
    sending = f"sending {facts['network_seconds']:.4g}"
    if facts["compiler_seconds"] is None:
        best = f"computing {facts['roofline_seconds']:.4g} at all of the peak"
        lines.append(f"  at best   {facts['step_seconds']:.4g} s: {best}, {sending}")
    else:
        best = f"computing {facts['compiler_seconds']:.4g} (compiler)"
        lines += [
            f"  moved     {facts['bytes_accessed']:.3e} bytes a device",
            f"  time      {facts['step_seconds']:.4g} s: {best}, {sending}",
            f"  MFU       {facts['mfu']:.1%}; {facts['hardware_utilisation']:.1%} with what is "
            "computed again",
        ]
    return [
        *lines,
        f"  compiled  in {facts['compile_seconds']:.0f} s "
        f"({facts['compile_cpu_seconds']:.0f} s of CPU)",
    ]
