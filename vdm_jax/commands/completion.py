"""`vdm-jax sample` from footage: videos continued, filled in between pictures, and enlarged."""

import argparse
import dataclasses
import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jaxtyping import UInt8

from vdm_jax import config, diffusion, sampling
from vdm_jax.commands import footage

Frames = UInt8[np.ndarray, "f h w c"]


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """What is asked for: a plan, what is there before it, and what to show beside the result.

    first: the given frames of the plan. small: a small video and the frames it shows.
    """

    plan: sampling.RolloutPlan
    first: Frames
    fps: float
    shown: Mapping[str, Frames]
    small: tuple[Frames, tuple[int, ...]] | None = None


def arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("from videos and pictures (one of the first three)")
    what = group.add_mutually_exclusive_group()
    what.add_argument("--continue", dest="beginning", metavar="VIDEO", help="go on from its end")
    what.add_argument("--between", nargs="+", metavar="FILE", help="make what lies between these")
    what.add_argument("--upscale", metavar="VIDEO", help="make it as large as the model's videos")
    group.add_argument("--frames", type=int, help="frames of the result (default: as few as go)")
    group.add_argument("--given", type=int, help="of --continue: only its first GIVEN frames")
    group.add_argument(
        "--every", type=int, default=1, help="of --upscale: VIDEO is every n-th frame"
    )
    group.add_argument("--overlap", type=int, help="frames blocks share (default: half a block)")
    group.add_argument("--crop", action="store_true", help="take the middle of what is not square")
    group.add_argument(
        "--correction", default=sampling.GUIDANCE, type=correction,
        help="how new frames follow known ones: diffusion.ReconstructionGuidance(WEIGHT); "
        "diffusion.FiniteDifferenceGuidance(WEIGHT), the same in the memory of plain sampling; "
        "None: replacement only (default: diffusion.ReconstructionGuidance(10.0))",
    )  # fmt: skip
    group.add_argument("--plan", action="store_true", help="draw the blocks, and stop")


@dataclasses.dataclass(frozen=True)
class Correct:
    """What `--correction` sets."""

    correction: diffusion.Correction | None = None


def correction(text: str) -> diffusion.Correction | None:
    """The object that `--correction` names."""
    try:
        return config.override(Correct(), f"correction={text}").correction
    except config.ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def asked(args: argparse.Namespace) -> bool:
    """Whether the command line names footage."""
    return bool(args.beginning or args.between or args.upscale)


def job(args: argparse.Namespace, source) -> Job:
    """What the command line asks of a model trained on `source`."""
    block, size = source.frames, source.size
    overlap = block // 2 if args.overlap is None else args.overlap
    if args.beginning:
        clip = footage.clip(args.beginning, source, size, crop=args.crop)
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
    if args.between:
        if len(args.between) < 2:
            raise config.ConfigError("--between needs two files or more")
        keys = footage.pictures(args.between, size, crop=args.crop)
        every = block - 1
        length = every * (len(keys) - 1) + 1
        if args.frames not in (None, length):
            raise config.ConfigError(
                f"--frames {args.frames}: between {len(keys)} pictures the model makes "
                f"{length} frames"
            )
        plan = sampling.interpolation(length, block, every)
        return Job(plan, keys, args.fps or 8.0, {"condition": keys})
    return _enlarged(args, source, overlap)


def _enlarged(args: argparse.Namespace, source, overlap: int) -> Job:
    video = footage.opened(args.upscale)
    side = min(video.height, video.width)
    if side >= source.size:
        raise config.ConfigError(
            f"{args.upscale} is {video.width}x{video.height}, not smaller than the model's videos "
            f"of {source.size}x{source.size}"
        )
    clip = footage.clip(args.upscale, None, side, crop=args.crop)
    length = args.every * (len(clip.frames) - 1) + 1 if args.frames is None else args.frames
    small = clip.frames[: len(range(0, length, args.every))]
    places = tuple(range(0, length, args.every))[: len(small)]
    if length < source.frames:
        raise config.ConfigError(
            f"{args.upscale} makes {length} frames, and the model {source.frames} at a time: "
            "give a longer video"
        )
    nothing = np.zeros((0, source.size, source.size, 3), np.uint8)
    plan = sampling.extension(length, source.frames, overlap)
    return Job(plan, nothing, clip.fps * args.every, {"condition": small}, (small, places))


def make(
    args: argparse.Namespace, what: Job, trained: sampling.TrainedModel, cond, count: int, out: Path
) -> UInt8[np.ndarray, "b f h w c"]:
    """`count` results of a job. Frames are kept in `out` while it runs, so that it can go on."""
    size = trained.data.size
    shape = (count, what.plan.length, size, size, 3)
    facts = {
        "plan": what.plan.blocks,
        "sampling": config.to_json(trained.generator),
        "correction": config.to_json(args.correction),
        "asked": {k: v for k, v in vars(args).items() if isinstance(v, str | int | float | list)},
    }
    folder = out / "unfinished"
    canvas = sampling.Canvas.open(folder, shape, facts)
    if not canvas.done:
        canvas.frames[:, what.plan.given] = what.first
    small = None
    if what.small is not None:
        video, places = what.small
        small = sampling.LowResFrames(np.broadcast_to(video, (count, *video.shape)), places)
    sampling.rollout(
        partial(trained.complete, correction=args.correction), what.plan, canvas,
        jax.random.key(args.seed), cond, small,
    )  # fmt: skip
    return canvas.frames


def finish(out: Path) -> None:
    """Remove what an unfinished job would need."""
    shutil.rmtree(out / "unfinished", ignore_errors=True)


def record(what: Job, args: argparse.Namespace) -> dict:
    """How the results came about, for samples.json."""
    given = {"continue": args.beginning, "between": args.between, "upscale": args.upscale}
    return {
        **{name: value for name, value in given.items() if value},
        "frames": what.plan.length,
        "fps": what.fps,
        "blocks": json.loads(json.dumps(what.plan.blocks)),
        "correction": config.to_json(args.correction),
    }
