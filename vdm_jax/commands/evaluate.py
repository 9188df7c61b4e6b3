"""Measure a run, as its experiment says or by one protocol of it.

The results are printed and added to WORKDIR/evaluations.jsonl; those of a cascade, an experiment
file that names several runs, to evaluations.jsonl beside these.
"""

import argparse
import json
from pathlib import Path

import jax

from vdm_jax import config, sampling, training
from vdm_jax.commands import options


def arguments(parser: argparse.ArgumentParser) -> None:
    options.run_folder(parser)
    parser.add_argument("--protocol", help="only the evaluation of this name, e.g. oracle")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    options.overrides(parser, "sampling.sampler.steps=16")


def run(args: argparse.Namespace) -> None:
    log = Path(args.workdir)
    if args.workdir.endswith(".py"):
        several = config.load(args.workdir, ("cascade",), args.assignments)
        several.check()
        step, trained, evaluations = 0, sampling.Subject(several), several.evaluations
        log = Path(several.stages[-1].workdir).parent
    else:
        step, trained = sampling.load(args.workdir, args.step, args.assignments)
        evaluations = trained.experiment.evaluations
    known = {e.name: e for e in evaluations}
    if args.protocol is not None and args.protocol not in known:
        raise config.ConfigError(
            f"{args.workdir} has no evaluation {args.protocol!r}; "
            f"{config.nearest(args.protocol, known)}"
        )
    chosen = known if args.protocol is None else {args.protocol: known[args.protocol]}
    if not chosen:
        raise config.ConfigError(f"the experiment of {args.workdir} has no evaluations")
    for name, evaluation in chosen.items():
        print(f"evaluating {name} at step {step}")
        results = {name: dict(evaluation(jax.random.key(args.seed), trained))}
        for path, value in training.flatten(results):
            print(f"  {path:<32} {value:.4g}")
        record = {"step": step, **results, "seed": args.seed}
        if args.assignments:
            record["set"] = args.assignments
        with (log / "evaluations.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
