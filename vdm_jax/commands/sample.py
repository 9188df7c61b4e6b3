"""Sample videos from a trained model.

Without --prompt or --label, captions and labels are those of held-out clips. Writes one video per
sample, an image of all, a self-contained web page, and samples.json, which records how each was
made.

Reconstruction guidance lets a model of short clips extend a video, interpolate between images, and
upscale, at the frame rate of the video. A super-resolution model upscales --upscale VIDEO, or
downsampled held-out clips. A cascade, an experiment file that names several runs, makes large
videos from captions, and can start and end at any stage. Rerun the same command to resume an
interrupted one.
"""

import argparse
from pathlib import Path

import jax
from etils import epath

from vdm_jax import config, sampling, storage
from vdm_jax.commands.helpers import cascade_samples, completion, options
from vdm_jax.commands.helpers.conditions import add_prompts, captions_and_labels
from vdm_jax.commands.helpers.loading import load_cascade


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_workdir(parser)
    add_prompts(parser)
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument("--out", help="folder of the results (default: WORKDIR/samples)")
    parser.add_argument(
        "--fps", type=float, help="frames per second (default: those of VIDEO, or else 8)"
    )
    parser.add_argument(
        "--format", choices=("mp4", "gif"), default="mp4", help="video format (default: mp4)"
    )
    completion.add_arguments(parser)
    cascade_samples.add_arguments(parser)
    options.add_overrides(parser, "sampling.guidance=3.0")


def run(args: argparse.Namespace) -> None:
    if args.count is not None and args.count < 1:
        raise config.ConfigError(f"--count {args.count}: it is at least 1")
    cascade = load_cascade(args.workdir, args.assignments, args.step)
    if cascade is not None:
        cascade_samples.run(args, cascade)
        return
    step, model = sampling.load(args.workdir, args.step, args.assignments)
    job = completion.make_job(args, model.data) if completion.is_completion(args) else None
    if job is not None and args.plan:
        print(job.plan)
        return
    if args.prompt and args.label:
        raise config.ConfigError("give prompts or labels, not both")
    if args.prompt and model.experiment.loader.text is None:
        raise config.ConfigError(f"the model of {args.workdir} was trained without captions")
    captions, labels = captions_and_labels(
        args.prompt,
        args.label,
        args.count,
        held_out=model.data if job is None else None,
        default_count=16 if job is None else 1,
    )
    cond = model.encode(captions, labels)
    facts = {"run": str(args.workdir), "step": step, "seed": args.seed, "set": args.assignments}
    with storage.output_dir(args.out or epath.Path(args.workdir) / "samples") as out:
        if job is None:
            videos = model.generate(jax.random.key(args.seed), cond, len(captions))
            fps, shown = args.fps or 8.0, {}
        else:
            videos = completion.complete(args, job, model, cond, len(captions), out)
            fps, shown = args.fps or job.fps, job.shown
            facts |= completion.record(job, args)
        sampling.write_samples(
            out, videos, captions, labels, [shown] * len(videos), facts,
            f"Samples of {Path(args.workdir).name}", fps, args.format,
        )  # fmt: skip
        print(f"{len(videos)} videos in {out}; open {out / 'index.html'}")
        completion.remove_unfinished(out)
