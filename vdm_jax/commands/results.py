"""What `vdm-jax sample` leaves behind: videos, a picture, a page, and how to make them again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vdm_jax import sampling

Frames = UInt8[np.ndarray, "f h w c"]


def write(
    out: Path,
    videos: UInt8[np.ndarray, "b f h w c"],
    captions: Sequence[str],
    labels: Sequence[int],
    shown: Sequence[Mapping[str, Frames]],
    facts: Mapping,
    title: str,
    fps: float,
    kind: str,
) -> None:
    """One video a sample, grid.png, index.html and samples.json in the folder `out`.

    shown: what the page shows beside each. facts: how the samples came about. kind: mp4 or gif.
    """
    out.mkdir(parents=True, exist_ok=True)
    records = []
    for index, (caption, label, video) in enumerate(zip(captions, labels, videos, strict=True)):
        name = f"{index:04}.{kind}"
        sampling.write(out / name, video, fps=fps)
        records.append({"file": name, "caption": caption, "label": label})
    sampling.write_png_grid(out / "grid.png", [glance(video) for video in videos[:16]])
    sampling.write_gallery(
        out / "index.html",
        [
            sampling.Entry(
                caption or (f"label {label}" if label >= 0 else ""), beside(given, video)
            )
            for caption, label, video, given in zip(captions, labels, videos, shown, strict=True)
        ],
        title=title,
        notes={name: fact for name, fact in facts.items() if fact != [] and name != "blocks"},
        fps=fps,
    )
    (out / "samples.json").write_text(json.dumps({**facts, "samples": records}, indent=2) + "\n")
    print(f"{len(videos)} videos in {out}; open {out / 'index.html'}")


def glance(video: Frames) -> Frames:
    """Frames for a picture that is not too wide: the first 64 small ones, or 8 of the large."""
    if max(video.shape[1:3]) <= 64:
        return video[:64]
    return video[:: -(-len(video) // 8)]


def beside(shown: Mapping[str, Frames], video: Frames) -> dict[str, Frames]:
    """The conditions, the result and the truth, as far as there are such, in this order."""
    videos = {**shown, "result" if shown else "": video}
    last = [name for name in ("result", "truth", "") if name in videos]
    return {name: videos[name] for name in [*(n for n in videos if n not in last), *last]}
