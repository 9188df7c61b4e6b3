"""`vdm-jax sample` from a user's videos and images: extension, interpolation and upscaling."""

import argparse
import dataclasses
import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8

from vdm_jax import config, diffusion, sampling
from vdm_jax.data import Source, sides, user_videos
from vdm_jax.interfaces import Clips
from vdm_jax.models import Conditioning

Frames = UInt8[np.ndarray, "f h w c"]
OtherFrames = UInt8[np.ndarray, "_ _ _ c"]
"""Frames of other numbers and sizes than those beside them."""
UNFINISHED = "unfinished"
"""The folder beside the results that holds the frames of a job until it is complete."""


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A completion that the command line describes.

    plan: the blocks of frames to sample.
    known: the frames `plan.given_frames`.
    fps: frames per second of the result.
    shown: by heading, the videos that the page shows beside each sample.
    lowres: a low-resolution video and the frames of the result that it shows, or None.
    """

    plan: sampling.RolloutPlan
    known: Frames
    fps: float
    shown: Mapping[str, OtherFrames]
    lowres: tuple[OtherFrames, tuple[int, ...]] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("from your own videos and images (one of the first three)")
    task = group.add_mutually_exclusive_group()
    task.add_argument("--continue", dest="beginning", metavar="VIDEO", help="extend a video")
    task.add_argument("--between", nargs="+", metavar="FILE", help="interpolate between images")
    task.add_argument("--upscale", metavar="VIDEO", help="upscale a video to the model's size")
    group.add_argument(
        "--frames", type=int, help="frames of the result (default: as few as the model makes)"
    )
    group.add_argument(
        "--given", type=int, metavar="N", help="with --continue: use only the first N frames"
    )
    group.add_argument(
        "--every", type=int, default=1, metavar="N",
        help="with --upscale: VIDEO shows every N-th frame of the result (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--overlap", type=int, metavar="N", help="frames that blocks share (default: half a block)"
    )
    group.add_argument(
        "--crop", action="store_true", help="crop the center where aspect ratios differ"
    )
    group.add_argument(
        "--correction", default=sampling.DEFAULT_CORRECTION, type=parse_correction,
        help="how new frames are guided by known ones: diffusion.ReconstructionGuidance(WEIGHT); "
        "diffusion.FiniteDifferenceGuidance(WEIGHT), the same in the memory of plain sampling; "
        "None: replacement only (default: diffusion.ReconstructionGuidance(10.0))",
    )  # fmt: skip
    group.add_argument(
        "--plan", action="store_true", help="print the blocks of frames without sampling them"
    )


@dataclasses.dataclass(frozen=True)
class _CorrectionField:
    """A field for `config.override` to set."""

    correction: diffusion.Correction | None = None


def parse_correction(text: str) -> diffusion.Correction | None:
    """The correction that `--correction` describes."""
    try:
        return config.override(_CorrectionField(), f"correction={text}").correction
    except config.ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def is_completion(args: argparse.Namespace) -> bool:
    """Whether the command line names a video or images."""
    return bool(args.beginning or args.between or args.upscale)


def make_job(args: argparse.Namespace, source: Source) -> Job:
    """The job of a command line, for a model trained on `source`.

    Raises:
      ConfigError: files or numbers of frames that do not fit the model.
    """
    overlap = source.frames // 2 if args.overlap is None else args.overlap
    if args.beginning:
        return _extension_job(args, source, overlap)
    if args.between:
        return _interpolation_job(args, source)
    return _upscaling_job(args, source, overlap)


def _extension_job(args: argparse.Namespace, source: Source, overlap: int) -> Job:
    block = source.frames
    clip = user_videos.read_video(args.beginning, source.size, source=source, crop=args.crop)
    given = len(clip.frames) if args.given is None else args.given
    if not 1 <= given <= len(clip.frames):
        raise config.ConfigError(
            f"--given {given}: {args.beginning} has 1 to {len(clip.frames)} frames to give"
        )
    if args.overlap is None:
        overlap = min(overlap, given)
    length = max(given + block - overlap, block) if args.frames is None else args.frames
    plan = sampling.extension(length, block, overlap, given)
    shown = {"condition": clip.frames[:given]}
    if len(clip.frames) > given:
        shown["truth"] = clip.frames[:length]
    return Job(plan, clip.frames[:given], clip.fps, shown)


def _interpolation_job(args: argparse.Namespace, source: Source) -> Job:
    if len(args.between) < 2:
        raise config.ConfigError("--between needs two files or more")
    images = user_videos.read_images(args.between, source.size, crop=args.crop)
    every = source.frames - 1
    length = every * (len(images) - 1) + 1
    if args.frames not in (None, length):
        raise config.ConfigError(
            f"--frames {args.frames}: between {len(images)} images the model makes {length} frames"
        )
    plan = sampling.interpolation(length, source.frames, every)
    return Job(plan, images, args.fps or 8.0, {"condition": images})


def _upscaling_job(args: argparse.Namespace, source: Source, overlap: int) -> Job:
    height, width = sides(source.size)
    if height != width:
        raise config.ConfigError(f"--upscale: the model's videos are {width}x{height}, not square")
    video = user_videos.open_video(args.upscale)
    side = min(video.height, video.width)
    if side >= height:
        raise config.ConfigError(
            f"{args.upscale} is {video.width}x{video.height}, not smaller than the model's videos "
            f"of {width}x{height}"
        )
    clip = user_videos.read_video(args.upscale, side, crop=args.crop)
    length = args.every * (len(clip.frames) - 1) + 1 if args.frames is None else args.frames
    low = clip.frames[: len(range(0, length, args.every))]
    shown_frames = tuple(range(0, length, args.every))[: len(low)]
    if length < source.frames:
        raise config.ConfigError(
            f"{args.upscale} makes {length} frames, and the model {source.frames} at a time: "
            "give a longer video"
        )
    plan = sampling.extension(length, source.frames, overlap)
    none = np.zeros((0, height, width, 3), np.uint8)
    return Job(plan, none, clip.fps * args.every, {"condition": low}, (low, shown_frames))


def complete(
    args: argparse.Namespace,
    job: Job,
    model: sampling.TrainedModel,
    cond: Conditioning,
    count: int,
    out: Path,
) -> Clips:
    """`count` results of a job, [b f h w c]. An interrupted job resumes from `UNFINISHED`."""
    shape = (count, job.plan.length, *sides(model.data.size), 3)
    facts = {
        "plan": job.plan.blocks,
        "sampling": config.to_json(model.generator),
        "correction": config.to_json(args.correction),
        "asked": {k: v for k, v in vars(args).items() if isinstance(v, str | int | float | list)},
    }
    canvas = sampling.Canvas.open(out / UNFINISHED, shape, facts)
    if not canvas.done:
        canvas.frames[:, job.plan.given_frames] = job.known
    low = None
    if job.lowres is not None:
        video, frames = job.lowres
        low = sampling.LowResFrames(np.broadcast_to(video, (count, *video.shape)), frames)
    sampling.rollout(
        partial(model.complete, correction=args.correction), job.plan, canvas,
        jax.random.key(args.seed), cond, low,
    )  # fmt: skip
    return canvas.frames


def remove_unfinished(out: Path) -> None:
    """Removes the frames that an interrupted job would resume from."""
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)


def record(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    """How the results were made, for samples.json."""
    files = {"continue": args.beginning, "between": args.between, "upscale": args.upscale}
    return {
        **{name: value for name, value in files.items() if value},
        "frames": job.plan.length,
        "fps": job.fps,
        "blocks": json.loads(json.dumps(job.plan.blocks)),
        "correction": config.to_json(args.correction),
    }
