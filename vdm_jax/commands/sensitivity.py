"""Measure how far each choice of a protocol moves its number, on samples of your own.

    vdm-jax sensitivity --protocol ucf101_tats_128 --generated samples --real UCF-101

Changes one choice at a time (resize filter, crop and storage of frames, frame count and stride,
sample count, covariance estimator, reference clips) and measures again. Writes a table,
sensitivity.json and sensitivity.png (with matplotlib: pip install "vdm_jax[plots]"). Features are
cached, so an interrupted study resumes.
"""

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vdm_jax import config, storage
from vdm_jax.commands.helpers import options, protocol_options
from vdm_jax.commands.helpers.protocol_options import real_videos, select_protocol
from vdm_jax.protocols import collect, protocol_hash, sensitivity
from vdm_jax.protocols.sensitivity import SettingResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol", default="ucf101_tats_128", help="a protocol (default: %(default)s)"
    )
    protocol_options.add_real_videos(parser)
    parser.add_argument("--generated", metavar="DIR", required=True, help="samples of any model")
    parser.add_argument(
        "--out", metavar="DIR", default="sensitivity",
        help="folder of the results (default: %(default)s)",
    )  # fmt: skip
    protocol_options.add_random_weights(parser)
    options.add_overrides(parser, "protocol.generated.count=512")
    parser.set_defaults(workdir=None)


def run(args: argparse.Namespace) -> None:
    protocol, _ = select_protocol(args)
    real = real_videos(args, protocol)
    if real is None:
        raise config.ConfigError("a distance needs real videos: --real DIR")
    with storage.temporary_copy(args.generated) as here:
        own, results = sensitivity.measure_settings(protocol, collect(here), real, print_result)
    random = args.random_weights is not None
    facts = {
        "protocol": config.to_json(protocol),
        "protocol_hash": protocol_hash(protocol),
        "random_weights": random,
        "own": own,
        "settings": [dataclasses.asdict(result) for result in results],
    }
    lines = table(own, results, f"{protocol.name}, random weights" if random else protocol.name)
    print("\n".join(lines))
    with storage.output_dir(args.out) as out:
        (out / "sensitivity.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
        (out / "sensitivity.txt").write_text("\n".join(lines) + "\n", "utf-8")
        plotted = plot(out / "sensitivity.png", own, results, lines[0])
    files = ["sensitivity.txt", "sensitivity.json", *(["sensitivity.png"] if plotted else [])]
    hint = "" if plotted else ' (for a plot: pip install "vdm_jax[plots]")'
    print(f"{args.out} has {', '.join(files)}{hint}")


def print_result(result: SettingResult) -> None:
    number = "-" if result.value is None else f"{result.value:.5g}"
    print(f"{result.choice}, {result.setting}: {number}")


def table(own: Mapping[str, Any], results: Sequence[SettingResult], title: str) -> list[str]:
    """Lines with the number of each setting and its relative difference from the protocol's own.

    own: `value` and, with a bootstrap, `low` and `high` of the protocol itself.
    """
    value = own["value"]
    interval = f" [{own['low']:.5g}, {own['high']:.5g}]" if "low" in own else ""
    width = max(len(result.setting) for result in results)
    lines = [f"{title}: {value:.5g}{interval}"]
    for choice in dict.fromkeys(result.choice for result in results):
        lines.append(choice)
        for result in (r for r in results if r.choice == choice):
            setting = f"  {result.setting:<{width}}"
            if result.value is None:
                lines.append(f"{setting}  not measured: {result.reason}")
            else:
                change = f"{(result.value / value - 1):+8.1%}" if value else ""
                lines.append(f"{setting}  {result.value:>10.5g}  {change}")
    return lines


def plot(path: Path, own: Mapping[str, Any], results: Sequence[SettingResult], title: str) -> bool:
    """Writes a bar chart of the table; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    measured = [(r, r.value) for r in results if r.value is not None]
    figure = Figure(figsize=(9, 1.5 + 0.24 * len(measured)), layout="constrained")
    axes = figure.add_subplot()
    choices = list(dict.fromkeys(r.choice for r, _ in measured))
    rows = range(len(measured))
    axes.barh(
        rows, [value - own["value"] for _, value in measured], left=own["value"],
        color=[f"C{choices.index(r.choice)}" for r, _ in measured],
    )  # fmt: skip
    axes.set_yticks(rows, [f"{r.choice}: {r.setting}" for r, _ in measured], fontsize=7)
    axes.invert_yaxis()
    axes.axvline(own["value"], color="black", linewidth=1)
    if "low" in own:
        axes.axvspan(own["low"], own["high"], color="black", alpha=0.12, linewidth=0)
    axes.set_title(title, fontsize=9)
    figure.savefig(path, dpi=150)
    return True
