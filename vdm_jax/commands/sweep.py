"""Evaluate a run or a cascade for every combination of given field values.

    vdm-jax sweep runs/tiny/ssr_8x64x64 --over sampling.lowres_snr=3.0,10.0,None
    vdm-jax sweep experiments/imagen_video/tiny_cascade.py \\
        --over stages.1.generator.lowres_snr=3.0,10.0 --over stages.0.generator.guidance=1.0,2.0,4.0
    vdm-jax sweep runs/quickstart \\
        --over "sampling.guidance=2.0,diffusion.Oscillating(high=15.0,low=1.0,steps=24)"

Every combination runs the experiment's evaluations with the same seed and draws the same few
samples. Writes sweep.json, and sweep.png with a row of samples (their middle frames) for each.
"""

import argparse
import ast
import itertools
import json
from pathlib import Path

import jax
import numpy as np
from jaxtyping import UInt8

from vdm_jax import config, sampling, training
from vdm_jax.commands.helpers import options
from vdm_jax.commands.helpers.loading import load_model
from vdm_jax.evaluation.elements import encode, evenly_spaced
from vdm_jax.interfaces import Model
from vdm_jax.types import Key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_workdir(parser)
    parser.add_argument(
        "--over", action="append", required=True, metavar="PATH=A,B,...",
        help="a field and its values, e.g. sampling.guidance=1.0,2.0; may be repeated",
    )  # fmt: skip
    parser.add_argument("--count", type=int, default=6, help="samples in a row (default: 6)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    parser.add_argument("--out", help="folder of the results (default: WORKDIR/sweep)")


def run(args: argparse.Namespace) -> None:
    combinations = [list(c) for c in itertools.product(*map(parse_values, args.over))]
    folder = Path("sweep") if args.workdir.endswith(".py") else Path(args.workdir) / "sweep"
    out = Path(args.out or folder)
    out.mkdir(parents=True, exist_ok=True)
    records, rows = [], []
    for assignments in combinations:
        loaded = load_model(args.workdir, args.step, assignments)
        print("  ".join(assignments))
        key, results = jax.random.key(args.seed), {}
        for evaluation in loaded.evaluations:
            results[evaluation.name] = dict(evaluation(key, loaded.model))
        for name, value in training.flatten(results):
            print(f"  {name:<40} {value:.4g}")
        records.append({"set": assignments, **results})
        rows.append(sample_frames(loaded.model, key, args.count))
        # Written after each combination, so that an interrupted sweep keeps its results.
        (out / "sweep.json").write_text(json.dumps(records, indent=2) + "\n")
        sampling.write_png_grid(out / "sweep.png", rows)
    print(f"{len(records)} combinations in {out / 'sweep.json'}, their rows in {out / 'sweep.png'}")


def parse_values(over: str) -> list[str]:
    """The assignments `path=a` and `path=b` of `path=a,b`."""
    path, equals, text = over.partition("=")
    if not equals or not text:
        raise config.ConfigError(f"--over {over!r} is not of the form path=value,value,...")
    try:  # parsed as a Python tuple, because objects have commas of their own
        values = ast.parse(f"({text},)", mode="eval").body
        items = [ast.unparse(item) for item in getattr(values, "elts", ())]
    except SyntaxError:
        items = text.split(",")
    return [f"{path}={item}" for item in items]


def sample_frames(model: Model, key: Key, count: int) -> UInt8[np.ndarray, "n h w c"]:
    """The middle frames of samples for `count` held-out captions."""
    clips = evenly_spaced(model.data, "held_out", count)
    cond = encode(model, clips)
    if isinstance(model, sampling.TrainedModel) and model.task.lowres is not None:
        low = model.downsample(np.stack([clip["video"] for clip in clips]))
        videos = model.upsample(key, cond, low)
    else:
        videos = model.generate(key, cond, count)
    return videos[:, videos.shape[1] // 2]
