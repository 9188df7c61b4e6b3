"""How much each choice of a protocol moves the number, on samples of your own.

    vdm-jax knobs --protocol ucf101_tats_128 --generated samples --real UCF-101

Changes one choice at a time (how frames are resized, cropped and stored, frames and stride, how
many samples, the covariance, which real clips) and measures again. Writes a table, knobs.json and
knobs.png (with matplotlib: pip install "vdm_jax[plots]"). Features are kept, so what was
interrupted goes on.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vdm_jax import config, storage
from vdm_jax.commands import options, protocols
from vdm_jax.evaluation.protocols import collect, protocol_hash, sensitivity


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol", default="ucf101_tats_128", help="which (default: ucf101_tats_128)"
    )
    protocols.real_arguments(parser)
    parser.add_argument("--generated", metavar="DIR", required=True, help="samples of any model")
    parser.add_argument("--out", metavar="DIR", default="knobs", help="default: knobs")
    protocols.random_weights(parser)
    options.overrides(parser, "protocol.generated.count=512")
    parser.set_defaults(workdir=None)


def run(args: argparse.Namespace) -> None:
    protocol, _ = protocols.chosen(args)
    real = protocols.real_videos(args, protocol)
    if real is None:
        raise config.ConfigError("a distance needs real videos: --real DIR")
    with storage.temporary_copy(args.generated) as here:
        own, found = sensitivity.study(protocol, collect(here), real, _say)
    told = {
        "protocol": config.to_json(protocol),
        "protocol_hash": protocol_hash(protocol),
        "random_weights": args.random_weights is not None,
        "own": own,
        "settings": [dataclasses.asdict(one) for one in found],
    }
    lines = table(own, found, f"{protocol.name}, random weights" if told["random_weights"]
                  else protocol.name)  # fmt: skip
    print("\n".join(lines))
    with storage.output_dir(args.out) as out:
        (out / "knobs.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
        (out / "knobs.txt").write_text("\n".join(lines) + "\n", "utf-8")
        pictured = _plot(out / "knobs.png", own, found, lines[0])
    print(f"knobs.txt, knobs.json{pictured} are in {args.out}")


def table(own: dict[str, Any], found: Sequence[sensitivity.Found], title: str) -> list[str]:
    """A line for each setting: its number, and by how much it is off."""
    value = own["value"]
    about = f" [{own['low']:.5g}, {own['high']:.5g}]" if "low" in own else ""
    width = max(len(one.setting) for one in found)
    lines = [f"{title}: {value:.5g}{about}"]
    for knob in dict.fromkeys(one.knob for one in found):
        lines.append(knob)
        for one in (one for one in found if one.knob == knob):
            if one.value is None:
                lines.append(f"  {one.setting:<{width}}  not measured: {one.why}")
            else:
                share = f"{(one.value / value - 1):+8.1%}" if value else ""
                lines.append(f"  {one.setting:<{width}}  {one.value:>10.5g}  {share}")
    return lines


def _say(one: sensitivity.Found) -> None:
    print(f"{one.knob}, {one.setting}: {'-' if one.value is None else f'{one.value:.5g}'}")


def _plot(path: Path, own: dict[str, Any], found: Sequence[sensitivity.Found], title: str) -> str:
    """Writes the picture, where matplotlib is installed; what is to be said of it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return ' (for a picture: pip install "vdm_jax[plots]")'
    shown = [one for one in found if one.value is not None]
    figure = Figure(figsize=(9, 1.5 + 0.24 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    colors = {knob: f"C{i}" for i, knob in enumerate(dict.fromkeys(o.knob for o in shown))}
    places = range(len(shown))
    axes.barh(
        places, [one.value - own["value"] for one in shown], left=own["value"],
        color=[colors[one.knob] for one in shown],
    )  # fmt: skip
    axes.set_yticks(places, [f"{one.knob}: {one.setting}" for one in shown], fontsize=7)
    axes.invert_yaxis()
    axes.axvline(own["value"], color="black", linewidth=1)
    if "low" in own:
        axes.axvspan(own["low"], own["high"], color="black", alpha=0.12, linewidth=0)
    axes.set_title(title, fontsize=9)
    figure.savefig(path, dpi=150)
    return f" and {path.name}"
