"""`vdm-jax sample` with a cascade, a part of it, or one model of super-resolution."""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from etils import epath

from vdm_jax import config, sampling, storage
from vdm_jax.checkpoints import read_experiment
from vdm_jax.commands import footage, results
from vdm_jax.data import sides
from vdm_jax.evaluation.subject import evenly_spaced
from vdm_jax.sampling.cascade import downsampled_shape


def arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with a cascade, an experiment file of several models")
    group.add_argument("--first", type=int, help="the stage to begin with (default: 1)")
    group.add_argument("--last", type=int, help="the stage to end with (default: the last)")
    group.add_argument("--keep", action="store_true", help="keep the videos of every stage")
    group.add_argument(
        "--together", action="store_true",
        help="hold all models at once, shared by the devices, not one after another",
    )  # fmt: skip


def opened(path: str, assignments: Sequence[str] = (), step: int | None = None):
    """The cascade of a file or, of the folder of a super-resolution model's run, that model alone.

    None for the folder of any other run.
    """
    if path.endswith(".py"):
        return config.load(path, ("cascade",), assignments)
    experiment = config.override(read_experiment(path), *assignments)
    if getattr(experiment.task, "lowres", None) is None:
        return None
    stage = sampling.Stage(path, experiment.sampling, step)
    return sampling.Cascade((stage,), data=experiment.data, evaluations=experiment.evaluations)


def subject(
    path: str, step: int | None, assignments: Sequence[str]
) -> tuple[int, Any, Any, epath.Path]:
    """(step, subject, evaluations, where their log is) of a cascade's file or a run's folder."""
    if not path.endswith(".py"):
        step, trained = sampling.load(path, step, assignments)
        return step, trained, trained.experiment.evaluations, epath.Path(path)
    several = config.load(path, ("cascade",), assignments)
    several.check()
    log = epath.Path(several.stages[-1].workdir).parent
    return 0, sampling.CascadeModel(several), several.evaluations, log


def run(args: argparse.Namespace, cascade: sampling.Cascade) -> None:
    """Sample a cascade as the command line says."""
    if args.beginning or args.between:
        raise config.ConfigError("a cascade enlarges videos: it goes on from --upscale only")
    cascade = cascade.part(args.first or 1, args.last or len(cascade.stages))
    first = cascade.experiments()[0]
    lowres, count = first.task.lowres, args.count
    shown: Sequence[Mapping[str, Any]] = ()
    given = None
    if lowres is not None and not args.upscale:
        if args.prompt or args.label or cascade.data is None:
            raise config.ConfigError(
                "the first stage enlarges videos: give one with --upscale, or begin with a base"
            )
        captions, labels, given, shown = held_out(cascade, first, count or 4)
    else:
        captions, labels = asked(args, cascade)
        if args.upscale:
            clip = small(args, first, lowres)
            given = np.broadcast_to(clip.frames, (len(captions), *clip.frames.shape))
            shown = [{"condition": clip.frames}] * len(captions)
    cascade.check(None if given is None else given.shape[1:4])

    home = epath.Path(args.workdir)
    if args.workdir.endswith(".py"):
        home = epath.Path(cascade.stages[-1].workdir).parent
    with storage.output_dir(args.out or home / "samples") as out:
        make(args, cascade, out, captions, labels, given, shown)


def make(
    args: argparse.Namespace,
    cascade: sampling.Cascade,
    out: Path,
    captions: Sequence[str],
    labels: Sequence[int],
    given: np.ndarray | None,
    shown: Sequence[Mapping[str, Any]],
) -> None:
    """Makes the samples, and writes them to the folder `out`."""
    folder, key = out / "stages", jax.random.key(args.seed)
    models = cascade.together() if args.together else sampling.Stage.load
    videos = cascade.make(key, captions, labels, given, folder, args.keep, models)
    if args.keep:
        stored = [np.load(folder / f"stage_{n}.npy") for n in range(1, len(cascade.stages))]
        names = [stage.name for stage in cascade.stages]
        stages = [dict(zip(names, clips, strict=False)) for clips in zip(*stored, strict=True)]
        shown = [{**a, **b} for a, b in zip(shown or [{}] * len(stages), stages, strict=True)]
    facts = {
        "cascade": str(args.workdir),
        "stages": [stage.workdir for stage in cascade.stages],
        "seed": args.seed,
        "set": args.assignments,
    }
    fps = args.fps or cascade.fps
    results.write(
        out, videos, captions, labels, shown or [{}] * len(videos), facts,
        f"Samples of {Path(args.workdir).stem}", fps, args.format,
    )  # fmt: skip
    if not args.keep:
        shutil.rmtree(folder)


def asked(args: argparse.Namespace, cascade: sampling.Cascade) -> tuple[list[str], list[int]]:
    """The captions and labels of the command line or, without any, of held-out clips."""
    if args.prompt or args.label:
        pairs = [(p, -1) for p in args.prompt or ()] + [("", n) for n in args.label or ()]
    elif args.upscale:
        pairs = [("", -1)]
    elif cascade.data is None:
        raise config.ConfigError("give a --prompt: the cascade has no data to take captions of")
    else:
        clips = evenly_spaced(cascade.data, "held_out", args.count or 4)
        pairs = [(str(e.get("caption", "")), int(e.get("label", -1))) for e in clips]
    pairs = [pairs[i % len(pairs)] for i in range(args.count or len(pairs))]
    return [caption for caption, _ in pairs], [label for _, label in pairs]


def held_out(cascade: sampling.Cascade, experiment, count: int):
    """Captions, labels and small versions of held-out clips, and what to show beside the result."""
    clips = evenly_spaced(experiment.data, "held_out", count)
    true = np.stack([clip["video"] for clip in clips])
    given = cascade.stages[0].load().downsample(true)
    alone = len(cascade.stages) == 1
    shown = [
        {"condition": low, "truth": video} if alone else {"condition": low}
        for low, video in zip(given, true, strict=True)
    ]
    captions = [str(clip.get("caption", "")) for clip in clips]
    return captions, [int(clip.get("label", -1)) for clip in clips], given, shown


def small(args: argparse.Namespace, experiment, lowres) -> footage.Footage:
    """A user's video as the first stage takes it: so many frames, of its size or of any."""
    if lowres is None:
        raise config.ConfigError("--upscale: the first stage makes videos of nothing; see --first")
    source = experiment.data
    frames, *size = downsampled_shape((source.frames, *sides(source.size)), lowres)
    if lowres.crop is not None:  # any size: as it is, as far as factors allow
        video = footage.opened(args.upscale)
        size = [video.height - video.height % 16, video.width - video.width % 16]
    clip = footage.clip(args.upscale, None, (size[0], size[1]), crop=args.crop)
    if len(clip.frames) < frames:
        raise config.ConfigError(
            f"{args.upscale} has {len(clip.frames)} frames, and the model enlarges {frames}"
        )
    return footage.Footage(clip.frames[:frames], clip.fps)
