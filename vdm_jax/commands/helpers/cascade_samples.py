"""`vdm-jax sample` with a cascade, some of its stages, or one super-resolution model."""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from etils import epath
from jaxtyping import UInt8

from vdm_jax import config, sampling, storage
from vdm_jax.commands.helpers.conditions import captions_and_labels
from vdm_jax.data import sides, user_videos
from vdm_jax.evaluation.elements import evenly_spaced
from vdm_jax.interfaces import Clips, Experiment, LowRes
from vdm_jax.sampling.cascade import downsampled_shape

Frames = UInt8[np.ndarray, "f h w c"]
OtherFrames = UInt8[np.ndarray, "_ _ _ c"]
"""Frames of other numbers and sizes than those beside them."""
DEFAULT_COUNT = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with a cascade (an experiment file of several models)")
    group.add_argument(
        "--first-stage", type=int, metavar="N", help="the stage to start with (default: 1)"
    )
    group.add_argument(
        "--last-stage", type=int, metavar="N", help="the stage to end with (default: the last)"
    )
    group.add_argument(
        "--keep-stages", action="store_true", help="also write the videos of every stage"
    )
    group.add_argument(
        "--all-in-memory", action="store_true",
        help="load all models at once, sharded over the devices, instead of one after another",
    )  # fmt: skip


def run(args: argparse.Namespace, cascade: sampling.Cascade) -> None:
    """Samples a cascade as the command line says."""
    if args.beginning or args.between:
        raise config.ConfigError("a cascade upscales videos: of these options it takes --upscale")
    cascade = cascade.select_stages(args.first_stage or 1, args.last_stage or len(cascade.stages))
    first = cascade.experiments()[0]
    lowres = sampling.lowres_of(first)
    shown: Sequence[Mapping[str, OtherFrames]] = ()
    given = None
    if lowres is not None and not args.upscale:
        if args.prompt or args.label or cascade.data is None:
            raise config.ConfigError(
                "the first stage upscales videos: give one with --upscale, or start with a base "
                "model"
            )
        captions, labels, given, shown = held_out_inputs(
            cascade, first, args.count or DEFAULT_COUNT
        )
    else:
        if not (args.prompt or args.label or args.upscale) and cascade.data is None:
            raise config.ConfigError("give a --prompt: the cascade has no data with captions")
        captions, labels = captions_and_labels(
            args.prompt,
            args.label,
            args.count,
            held_out=None if args.upscale else cascade.data,
            default_count=1 if args.upscale else DEFAULT_COUNT,
        )
        if args.upscale:
            low = read_lowres(args.upscale, first, lowres, crop=args.crop).frames
            given = np.broadcast_to(low, (len(captions), *low.shape))
            shown = [{"condition": low}] * len(captions)
    cascade.check(None if given is None else given.shape[1:4])

    home = epath.Path(args.workdir)
    if args.workdir.endswith(".py"):
        home = epath.Path(cascade.stages[-1].workdir).parent
    with storage.output_dir(args.out or home / "samples") as out:
        write(args, cascade, out, captions, labels, given, shown)
        print(f"{len(captions)} videos in {out}; open {out / 'index.html'}")


def write(
    args: argparse.Namespace,
    cascade: sampling.Cascade,
    out: Path,
    captions: Sequence[str],
    labels: Sequence[int],
    given: Clips | None,
    shown: Sequence[Mapping[str, OtherFrames]],
) -> None:
    """Makes the samples and writes them to the folder `out`.

    given: low-resolution clips for the first stage.
    shown: by heading, the videos that the page shows beside each sample.
    """
    folder, key = out / "stages", jax.random.key(args.seed)
    models = cascade.load_all() if args.all_in_memory else sampling.Stage.load
    videos = cascade.generate(key, captions, labels, given, folder, args.keep_stages, models)
    if args.keep_stages:
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
    sampling.write_samples(
        out, videos, captions, labels, shown or [{}] * len(videos), facts,
        f"Samples of {Path(args.workdir).stem}", args.fps or cascade.fps, args.format,
    )  # fmt: skip
    if not args.keep_stages:
        shutil.rmtree(folder)


def held_out_inputs(
    cascade: sampling.Cascade, first: Experiment, count: int
) -> tuple[list[str], list[int], Clips, list[dict[str, Frames]]]:
    """(captions, labels, low-resolution clips, videos to show) of held-out clips."""
    clips = evenly_spaced(first.data, "held_out", count)
    truth = np.stack([clip["video"] for clip in clips])
    given = cascade.stages[0].load().downsample(truth)
    # The truth is shown where one model is to reproduce it.
    single = len(cascade.stages) == 1
    shown = [
        {"condition": low, "truth": video} if single else {"condition": low}
        for low, video in zip(given, truth, strict=True)
    ]
    captions = [str(clip.get("caption", "")) for clip in clips]
    return captions, [int(clip.get("label", -1)) for clip in clips], given, shown


def read_lowres(
    path: str, experiment: Experiment, lowres: LowRes | None, *, crop: bool
) -> user_videos.UserVideo:
    """A user's video as the low-resolution input of the first stage.

    Raises:
      ConfigError: the first stage is no super-resolution model, or the video is too short.
    """
    if lowres is None:
        raise config.ConfigError(
            "--upscale: the first stage is a base model, which takes no video; choose another with "
            "--first-stage"
        )
    source = experiment.data
    frames, height, width = downsampled_shape((source.frames, *sides(source.size)), lowres)
    if lowres.crop is not None:  # trained on crops: any size, as far as the factors divide it
        video = user_videos.open_video(path)
        height, width = video.height - video.height % 16, video.width - video.width % 16
    clip = user_videos.read_video(path, (height, width), crop=crop)
    if len(clip.frames) < frames:
        raise config.ConfigError(
            f"{path} has {len(clip.frames)} frames, and the model upscales {frames} at a time: "
            "give a longer video"
        )
    return user_videos.UserVideo(clip.frames[:frames], clip.fps)
