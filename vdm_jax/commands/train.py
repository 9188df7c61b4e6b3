"""Train an experiment, or go on with a run that was stopped.

The run lives in --workdir: experiment.json (what it is), checkpoints/, metrics.jsonl,
evaluations.jsonl and tensorboard/. Ctrl-C or SIGTERM saves before it stops; the same command goes
on from there, and ends with the same numbers as if it had never stopped.
"""

import argparse
from pathlib import Path

from vdm_jax import training
from vdm_jax.commands import options


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", help="an experiment file, e.g. experiments/quickstart.py")
    parser.add_argument("--workdir", required=True, help="the folder of the run; made if needed")
    options.overrides(parser, "optimizer.peak=1e-4")


def run(args: argparse.Namespace) -> None:
    experiment = training.load(args.experiment, args.assignments)
    training.train(experiment, args.workdir)
    print(f"done: {Path(args.workdir)}; next: vdm-jax sample {args.workdir}")
