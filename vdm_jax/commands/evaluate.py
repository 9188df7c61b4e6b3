"""Measure a run as its experiment says, or anyone's samples by a named protocol.

    vdm-jax evaluate runs/quickstart
    vdm-jax evaluate --list
    vdm-jax evaluate --protocol ucf101_styleganv_256 --generated samples --real UCF-101
    vdm-jax evaluate runs/ucf101 --protocol ucf101_vdm_64 --real datasets/ucf101

Without a protocol of the library, the results of a run are printed and added to its
evaluations.jsonl; those of a cascade, an experiment file that names several runs, to
evaluations.jsonl beside these.

By a protocol, --generated is a folder of mp4, gif or npy files (uint8 [f h w c], or [b f h w c]),
or of folders of pictures, each a clip; prompts are in a table captions.csv (file,caption) or in a
.txt beside each. Of a run, samples are made, kept in WORKDIR/protocols, and measured; what was
interrupted goes on, in a bucket too. The result is a JSON file for `vdm-jax compare`.
"""

import argparse
import json

import jax

from vdm_jax import config, storage, training
from vdm_jax.commands import cascade, options, protocols


def arguments(parser: argparse.ArgumentParser) -> None:
    options.run_folder(parser, nargs="?")
    parser.add_argument("--protocol", help="only this evaluation of the run, or this protocol")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    protocols.arguments(parser)
    options.overrides(parser, "sampling.sampler.steps=16, or protocol.generated.count=512")


def run(args: argparse.Namespace) -> None:
    if args.list:
        protocols.show()
    elif args.prompts or args.write_real:
        protocols.prepare(args)
    elif args.generated:
        protocols.measure_files(args)
    elif args.workdir is None:
        raise config.ConfigError("give the folder of a run, or --generated DIR (or --list)")
    else:
        evaluate(args)


def evaluate(args: argparse.Namespace) -> None:
    """What the experiment of a run says, or a protocol of the library by its samples."""
    of_protocol = [a for a in args.assignments if a.startswith(protocols.PREFIX)]
    of_run = [a for a in args.assignments if a not in of_protocol]
    step, trained, evaluations, log = cascade.subject(args.workdir, args.step, of_run)
    known = {e.name: e for e in evaluations}
    if args.protocol is not None and args.protocol not in known:
        if protocols.exists(args.protocol):
            protocols.measure_run(args, trained, step, log, of_run)
            return
        raise config.ConfigError(
            f"{args.workdir} has no evaluation {args.protocol!r}, and there is no such protocol; "
            f"{config.nearest(args.protocol, [*known, *protocols.names()])}"
        )
    if of_protocol:
        raise config.ConfigError(f"{of_protocol[0]} goes with a --protocol of the library")
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
        storage.append(log / "evaluations.jsonl", json.dumps(record) + "\n")
