"""The report of `vdm-jax plan` as text."""

from collections.abc import Mapping
from typing import Any

from vdm_jax.parallel.chips import GIB


def summary_line(name: str, facts: Mapping[str, Any]) -> str:
    """One experiment among several, in a line."""
    start = f"{name:<24}{facts['parameters']:>16,}"
    if facts["estimate"] == "shapes" or facts["step_seconds"] is None:
        needed = facts["hbm_bytes"] or facts["state_bytes"]
        what = "of state, from shapes" if facts["hbm_bytes"] is None else "does not fit"
        return f"{start}{needed / GIB:>9.2f} GiB {what}"
    return (
        f"{start}{facts['hbm_bytes'] / GIB:>9.2f} GiB{facts['step_seconds']:>10.3f} s"
        f"{facts['mfu']:>7.0%}{facts['chip_hours']:>14,.0f} chip-hours"
    )


def report(facts: Mapping[str, Any]) -> list[str]:
    """The facts of one experiment as lines."""
    mesh = ", ".join(f"{axis}={n}" for axis, n in facts["mesh"].items())
    video = "x".join(map(str, facts["video"]))
    lines = [
        f"{facts['experiment']} on {facts['topology']}: {facts['chips']} chips, {mesh}",
        f"  parameters  {facts['parameters']:,} trained, {facts['frozen_parameters']:,} frozen",
        f"  batch       {facts['batch']} of {video}",
        f"  FLOPs       {facts['flops']:.3e} per step, and {facts['repeated_flops']:.3e} "
        "rematerialized",
    ]
    if "recommended" in facts:
        settings = " ".join(f"--set {s}" for s in facts["recommended"])
        lines.insert(1, f"  recommended {settings}")
    if facts["estimate"] == "shapes":
        return [*lines, *_from_shapes(facts)]
    lines.append("  compiled estimates, not measurements:")
    lines += [f"  {text}" for text in program_lines(facts)]
    versions = [f"{name} {value}" for name, value in facts["compiler"].items() if value]
    lines.append(f"    by        {', '.join(versions)}")
    if facts["step_seconds"] is not None:
        at_best = "at best " if facts["compiler_seconds"] is None else ""
        lines.append(
            f"    run       {facts['steps']:,} steps in {at_best}{facts['hours']:,.1f} hours: "
            f"{facts['chip_hours']:,.0f} chip-hours"
        )
    if facts.get("nearest"):
        near = facts["nearest"]
        lines.append(
            f"    fits with {' '.join('--set ' + s for s in near['settings'])} "
            f"({near['hbm_bytes'] / GIB:.2f} GiB, {near['step_seconds']:.4g} s per step)"
        )
    elif not facts["fits"]:
        lines.append("    no similar setting was found that fits: take a larger grid")
    if facts.get("sampler"):
        sampler = facts["sampler"]
        lines += [f"  sampler, batches of {sampler['clips']} clips:"]
        lines += [f"  {text}" for text in program_lines(sampler)]
        if sampler["seconds_per_clip"] is not None:
            lines.append(f"    clip      {sampler['seconds_per_clip']:.4g} s")
    return lines


def _from_shapes(facts: Mapping[str, Any]) -> list[str]:
    """The lines of a plan that was not compiled."""
    ideal, hours = facts["ideal_step_seconds"], facts["ideal_chip_hours"]
    limit = facts["hbm_limit_bytes"] / GIB
    excess = f", more than its {limit:.0f}" if facts["fits"] is False else ""
    return [
        f"  state       {facts['state_bytes'] / GIB:.2f} GiB per device{excess}",
        f"  ideal step  {ideal:.4g} s at peak FLOPs, {2 * ideal:.4g} s at half of the peak",
        f"              {hours:,.0f} or {2 * hours:,.0f} chip-hours for {facts['steps']:,} steps",
        f"  not compiled: {facts.get('reason', '--shapes')}",
    ]


def program_lines(facts: Mapping[str, Any]) -> list[str]:
    """Memory and time of one program as lines."""
    needed, limit = facts["hbm_bytes"] / GIB, facts["hbm_limit_bytes"] / GIB
    spare = facts["hbm_spare_bytes"] / GIB
    memory = f"  memory    {needed:.2f} of {limit:.2f} GiB per device: "
    if facts["step_seconds"] is None:
        return [memory + f"does not fit, {-spare:.2f} GiB too much"]
    kinds = ("argument", "temporary", "output", "aliased", "code")
    terms = ", ".join(f"{kind} {facts[f'{kind}_bytes'] / GIB:.2f}" for kind in kinds)
    sent = ", ".join(f"{size:.3e} along {axes}" for axes, size in facts["collective_bytes"].items())
    verdict = "fits" if facts["fits"] else "does not fit"
    lines = [
        memory + f"{verdict}, {spare:.2f} GiB to spare",
        f"            {terms}",
        f"  network   {sent or 'nothing'}, bytes sent per device",
    ]
    network = f"network {facts['network_seconds']:.4g}"
    if facts["compiler_seconds"] is None:
        compute = f"compute {facts['roofline_seconds']:.4g} at peak"
        lines.append(f"  at best   {facts['step_seconds']:.4g} s: {compute}, {network}")
    else:
        compute = f"compute {facts['compiler_seconds']:.4g} (compiler)"
        lines += [
            f"  HBM       {facts['bytes_accessed']:.3e} bytes accessed per device",
            f"  time      {facts['step_seconds']:.4g} s: {compute}, {network}",
            f"  MFU       {facts['mfu']:.1%}; {facts['hardware_utilisation']:.1%} with "
            "rematerialized FLOPs",
        ]
    return [
        *lines,
        f"  compiled  in {facts['compile_seconds']:.0f} s "
        f"({facts['compile_cpu_seconds']:.0f} s of CPU)",
    ]
