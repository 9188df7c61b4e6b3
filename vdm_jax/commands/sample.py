"""Make videos with a trained model.

Without --prompt or --label, the captions and labels of held-out clips are used. Writes one video a
sample, a picture of them all, a web page that needs nothing else, and samples.json that says what
each is and how to make it again.
"""

import argparse
import itertools
import json
from pathlib import Path

import jax

from vdm_jax import config, sampling
from vdm_jax.commands import options
from vdm_jax.evaluation.subject import elements


def arguments(parser: argparse.ArgumentParser) -> None:
    options.run_folder(parser)
    parser.add_argument("--prompt", action="append", help="a caption; may be repeated")
    parser.add_argument("--label", action="append", type=int, help="a class; may be repeated")
    parser.add_argument(
        "--count", type=int, help="samples in all (default: one a prompt or label, or else 16)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    parser.add_argument("--out", help="folder for the files (default: WORKDIR/samples)")
    parser.add_argument("--fps", type=float, default=8.0, help="frames a second (default: 8)")
    parser.add_argument(
        "--format", choices=("mp4", "gif"), default="mp4", help="of the videos (default: mp4)"
    )
    options.overrides(parser, "sampling.guidance=3.0")


def run(args: argparse.Namespace) -> None:
    if args.count is not None and args.count < 1:
        raise config.ConfigError(f"--count {args.count}: it is at least 1")
    step, trained = sampling.load(args.workdir, args.step, args.assignments)
    captions, labels = wanted(args, trained)
    cond = trained.encode(captions, labels)
    videos = trained.generate(jax.random.key(args.seed), cond, len(captions))

    out = Path(args.out or Path(args.workdir) / "samples")
    out.mkdir(parents=True, exist_ok=True)
    records = []
    for index, (caption, label, video) in enumerate(zip(captions, labels, videos, strict=True)):
        name = f"{index:04}.{args.format}"
        sampling.write(out / name, video, fps=args.fps)
        records.append({"file": name, "caption": caption, "label": label})
    facts = {"run": str(args.workdir), "step": step, "seed": args.seed, "set": args.assignments}
    sampling.write_png_grid(out / "grid.png", list(videos[:16]))
    sampling.write_gallery(
        out / "index.html",
        [
            sampling.Entry(caption or f"label {label}", {"": video})
            for caption, label, video in zip(captions, labels, videos, strict=True)
        ],
        title=f"Samples of {Path(args.workdir).name}",
        notes={name: fact for name, fact in facts.items() if fact != []},
        fps=args.fps,
    )
    (out / "samples.json").write_text(json.dumps({**facts, "samples": records}, indent=2) + "\n")
    print(f"{len(videos)} videos in {out}; open {out / 'index.html'}")


def wanted(args: argparse.Namespace, trained: sampling.Trained) -> tuple[list[str], list[int]]:
    """The captions ("" for none) and labels (-1 for none) that are asked for."""
    if args.prompt and args.label:
        raise config.ConfigError("give prompts or labels, not both")
    if args.prompt and trained.experiment.loader.text is None:
        raise config.ConfigError(f"the model of {args.workdir} was trained without captions")
    if args.prompt or args.label:
        pairs = [(p, -1) for p in args.prompt or ()] + [("", n) for n in args.label or ()]
        count = args.count or len(pairs)
    else:
        count = args.count or 16
        held_out = trained.data.clips("held_out")
        found = elements(trained.data, "held_out", min(count, len(held_out)))
        pairs = [(str(e.get("caption", "")), int(e.get("label", -1))) for e in found]
    captions, labels = zip(*itertools.islice(itertools.cycle(pairs), count), strict=True)
    return list(captions), list(labels)
