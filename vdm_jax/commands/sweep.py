"""Measure a run or a cascade again and again, with fields of it changed.

    vdm-jax sweep runs/tiny/ssr_8x64x64 --over sampling.lowres_snr=3.0,10.0,None
    vdm-jax sweep experiments/imagen_video/tiny_cascade.py \\
        --over stages.1.generator.snr=3.0,10.0 --over stages.0.generator.guidance=1.0,2.0,4.0
    vdm-jax sweep runs/quickstart \\
        --over "sampling.guidance=2.0,diffusion.Oscillating(high=15.0,low=1.0,steps=24)"

Every combination is measured as the experiment says, on the same seed, and makes the same few
samples. Writes sweep.json, and sweep.png with a row of samples (their middle frames) for each.
"""

import argparse
import ast
import itertools
import json
from pathlib import Path

import jax
import numpy as np

from vdm_jax import config, sampling, training
from vdm_jax.commands import cascade, options
from vdm_jax.evaluation.subject import encode, evenly_spaced


def arguments(parser: argparse.ArgumentParser) -> None:
    options.run_folder(parser)
    parser.add_argument(
        "--over", action="append", required=True, metavar="PATH=A,B,...",
        help="a field and its values, e.g. sampling.guidance=1.0,2.0; may be repeated",
    )  # fmt: skip
    parser.add_argument("--count", type=int, default=6, help="samples in a row (default: 6)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    parser.add_argument("--out", help="folder for the files (default: WORKDIR/sweep)")


def run(args: argparse.Namespace) -> None:
    combinations = [list(c) for c in itertools.product(*map(values, args.over))]
    folder = Path("sweep") if args.workdir.endswith(".py") else Path(args.workdir) / "sweep"
    out = Path(args.out or folder)
    out.mkdir(parents=True, exist_ok=True)
    records, rows = [], []
    for assignments in combinations:
        _, subject, evaluations, _ = cascade.subject(args.workdir, args.step, assignments)
        print("  ".join(assignments))
        key, results = jax.random.key(args.seed), {}
        for evaluation in evaluations:
            results[evaluation.name] = dict(evaluation(key, subject))
        for name, value in training.flatten(results):
            print(f"  {name:<40} {value:.4g}")
        records.append({"set": assignments, **results})
        rows.append(samples(subject, key, args.count))
        # After each, so that a sweep that was stopped leaves what it found.
        (out / "sweep.json").write_text(json.dumps(records, indent=2) + "\n")
        sampling.write_png_grid(out / "sweep.png", rows)
    print(f"{len(records)} combinations in {out / 'sweep.json'}, their rows in {out / 'sweep.png'}")


def values(over: str) -> list[str]:
    """`path=a,b` as `path=a` and `path=b`."""
    path, equals, found = over.partition("=")
    if not equals or not found:
        raise config.ConfigError(f"--over {over!r} is not of the form path=value,value,...")
    try:  # as Python reads a tuple: the commas inside an object are its own
        read = ast.parse(f"({found},)", mode="eval").body
        separate = [ast.unparse(item) for item in getattr(read, "elts", ())]
    except SyntaxError:
        separate = found.split(",")
    return [f"{path}={value}" for value in separate]


def samples(subject, key, count: int) -> np.ndarray:
    """The middle frames of a few samples for held-out captions, [n h w c]."""
    chosen = evenly_spaced(subject.data, "held_out", count)
    cond = encode(subject, chosen)
    if getattr(getattr(subject, "experiment", None), "task", None) is not None and (
        subject.experiment.task.lowres is not None
    ):
        low = subject.downsample(np.stack([element["video"] for element in chosen]))
        videos = subject.enlarge(key, cond, low)
    else:
        videos = subject.generate(key, cond, count)
    return videos[:, videos.shape[1] // 2]
