"""Make videos with a trained model.

Without --prompt or --label, the captions and labels of held-out clips are used. Writes one video a
sample, a picture of them all, a web page that needs nothing else, and samples.json that says what
each is and how to make it again.

A model of short clips also goes on from the end of a video, fills in between pictures, and enlarges
videos. Motion keeps its pace. A model of super-resolution enlarges --upscale VIDEO, or small
versions of held-out clips. A cascade, an experiment file that names several runs, makes large
videos of captions, or begins and ends with any of its stages. What was stopped goes on when the
same command is run again.
"""

import argparse
import itertools
from pathlib import Path

import jax
from etils import epath

from vdm_jax import config, sampling, storage
from vdm_jax.commands import cascade, completion, options, results
from vdm_jax.evaluation.subject import evenly_spaced


def arguments(parser: argparse.ArgumentParser) -> None:
    options.run_folder(parser)
    parser.add_argument("--prompt", action="append", help="a caption; may be repeated")
    parser.add_argument("--label", action="append", type=int, help="a class; may be repeated")
    parser.add_argument(
        "--count", type=int, help="samples in all (default: one a prompt or label, or else 16)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    parser.add_argument("--out", help="folder for the files (default: WORKDIR/samples)")
    parser.add_argument(
        "--fps", type=float, help="frames a second (default: those of VIDEO, or else 8)"
    )
    parser.add_argument(
        "--format", choices=("mp4", "gif"), default="mp4", help="of the videos (default: mp4)"
    )
    completion.arguments(parser)
    cascade.arguments(parser)
    options.overrides(parser, "sampling.guidance=3.0")


def run(args: argparse.Namespace) -> None:
    if args.count is not None and args.count < 1:
        raise config.ConfigError(f"--count {args.count}: it is at least 1")
    several = cascade.opened(args.workdir, args.assignments, args.step)
    if several is not None:
        cascade.run(args, several)
        return
    step, trained = sampling.load(args.workdir, args.step, args.assignments)
    job = completion.job(args, trained.data) if completion.asked(args) else None
    if job is not None and args.plan:
        print(job.plan)
        return
    captions, labels = wanted(args, trained, from_footage=job is not None)
    cond = trained.encode(captions, labels)
    facts = {"run": str(args.workdir), "step": step, "seed": args.seed, "set": args.assignments}
    with storage.output_dir(args.out or epath.Path(args.workdir) / "samples") as out:
        if job is None:
            videos = trained.generate(jax.random.key(args.seed), cond, len(captions))
            fps, shown = args.fps or 8.0, {}
        else:
            videos = completion.make(args, job, trained, cond, len(captions), out)
            fps, shown = args.fps or job.fps, job.shown
            facts |= completion.record(job, args)
        results.write(
            out, videos, captions, labels, [shown] * len(videos), facts,
            f"Samples of {Path(args.workdir).name}", fps, args.format,
        )  # fmt: skip
        completion.finish(out)


def wanted(
    args: argparse.Namespace, trained: sampling.TrainedModel, *, from_footage: bool = False
) -> tuple[list[str], list[int]]:
    """The captions ("" for none) and labels (-1 for none) that are asked for."""
    if args.prompt and args.label:
        raise config.ConfigError("give prompts or labels, not both")
    if args.prompt and trained.experiment.loader.text is None:
        raise config.ConfigError(f"the model of {args.workdir} was trained without captions")
    if args.prompt or args.label:
        pairs = [(p, -1) for p in args.prompt or ()] + [("", n) for n in args.label or ()]
        count = args.count or len(pairs)
    elif from_footage:
        count, pairs = args.count or 1, [("", -1)]
    else:
        count = args.count or 16
        held_out = trained.data.clips("held_out")
        found = evenly_spaced(trained.data, "held_out", min(count, len(held_out)))
        pairs = [(str(e.get("caption", "")), int(e.get("label", -1))) for e in found]
    captions, labels = zip(*itertools.islice(itertools.cycle(pairs), count), strict=True)
    return list(captions), list(labels)
