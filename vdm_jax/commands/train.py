"""Train experiments one after another, or go on with a run that was stopped.

The run lives in --workdir: experiment.json (what it is), checkpoints/, metrics.jsonl,
evaluations.jsonl and tensorboard/. Ctrl-C or SIGTERM saves before it stops; the same command goes
on from there, and ends with the same numbers as if it had never stopped. Of several experiments
each has a folder in --workdir, called as its file; those that are done are not run again.
"""

import argparse
from pathlib import Path

from vdm_jax import config, training
from vdm_jax.commands import options


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "experiments", nargs="+", metavar="EXPERIMENT",
        help="an experiment file, e.g. experiments/quickstart.py; or several",
    )  # fmt: skip
    parser.add_argument("--workdir", required=True, help="the folder of the run; made if needed")
    options.overrides(parser, "optimizer.peak=1e-4")


def run(args: argparse.Namespace) -> None:
    folders = {path: Path(args.workdir) for path in args.experiments}
    if len(args.experiments) > 1:
        folders = {path: Path(args.workdir) / Path(path).stem for path in args.experiments}
    if len(set(folders.values())) < len(args.experiments):
        raise config.ConfigError("each experiment has a folder called as its file: names differ")
    # All are read before the first is run: errors come at once.
    runs = {path: training.load(path, args.assignments) for path in args.experiments}
    for path, experiment in runs.items():
        if len(runs) > 1:
            print(f"{path}: {experiment.steps:,} steps in {folders[path]}")
        training.train(experiment, folders[path])
        print(f"done: {folders[path]}; next: vdm-jax sample {folders[path]}")
