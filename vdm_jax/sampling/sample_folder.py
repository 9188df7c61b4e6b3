"""The folder that `vdm-jax sample` writes: videos, an image of all, a web page and a record."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vdm_jax.sampling.gallery import Entry, write_gallery
from vdm_jax.sampling.video import write, write_png_grid

Frames = UInt8[np.ndarray, "f h w c"]
OtherFrames = UInt8[np.ndarray, "_ _ _ c"]
"""Frames of other numbers and sizes than those beside them."""


def write_samples(
    out: Path,
    videos: UInt8[np.ndarray, "b f h w c"],
    captions: Sequence[str],
    labels: Sequence[int],
    shown: Sequence[Mapping[str, OtherFrames]],
    facts: Mapping[str, Any],
    title: str,
    fps: float,
    format: str,
) -> None:
    """Writes one file per video, grid.png, index.html and samples.json into the folder `out`.

    shown: by heading, the videos that the page shows beside each sample.
    facts: how the samples were made, for the page and samples.json.
    format: "mp4" or "gif".
    """
    out.mkdir(parents=True, exist_ok=True)
    records = []
    for index, (caption, label, video) in enumerate(zip(captions, labels, videos, strict=True)):
        name = f"{index:04}.{format}"
        write(out / name, video, fps=fps)
        records.append({"file": name, "caption": caption, "label": label})
    write_png_grid(out / "grid.png", [grid_frames(video) for video in videos[:16]])
    write_gallery(
        out / "index.html",
        [
            Entry(caption or (f"label {label}" if label >= 0 else ""), columns(beside, video))
            for caption, label, video, beside in zip(captions, labels, videos, shown, strict=True)
        ],
        title=title,
        notes={name: fact for name, fact in facts.items() if fact != [] and name != "blocks"},
        fps=fps,
    )
    (out / "samples.json").write_text(json.dumps({**facts, "samples": records}, indent=2) + "\n")


def grid_frames(video: Frames) -> Frames:
    """The frames of a video in grid.png: the first 64 small ones, or 8 evenly spaced large ones."""
    if max(video.shape[1:3]) <= 64:
        return video[:64]
    return video[:: -(-len(video) // 8)]


def columns(shown: Mapping[str, OtherFrames], video: Frames) -> dict[str, OtherFrames]:
    """A sample's videos by heading, in the order of the page: conditions, result, truth."""
    videos = {**shown, "result" if shown else "": video}
    last = [name for name in ("result", "truth", "") if name in videos]
    return {name: videos[name] for name in [*(n for n in videos if n not in last), *last]}
