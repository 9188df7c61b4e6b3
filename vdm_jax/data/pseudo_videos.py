"""Pseudo-videos: a window that moves over a still image."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Num, UInt8
from PIL import Image

from vdm_jax.data.sources import Element, RandomSplit, Source, Split, draw, sides


@runtime_checkable
class Motion(Protocol):
    """A motion of the window."""

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        """(top, left, width) of the square window at each frame, in pixels of an image of `side` x
        `side`, and the words of captions for the motion. Frames have `size` x `size` pixels."""
        ...


def _linear_path(
    start: Num[np.ndarray, " 3"], end: Num[np.ndarray, " 3"], frames: int
) -> Float[np.ndarray, "f 3"]:
    """Windows from `start` to `end` at constant speed."""
    time = np.linspace(0.0, 1.0, frames).reshape(-1, 1)
    return start.reshape(1, 3) + time * (end - start).reshape(1, 3)


@dataclass(frozen=True)
class Zoom:
    """The window shrinks or grows about its center.

    shares: range of its first and last width, in units of the image's width.
    """

    shares: tuple[float, float] = (0.5, 1.0)

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        widths = side * rng.uniform(*self.shares, size=2)
        center = rng.uniform(widths.max() / 2, side - widths.max() / 2, size=2)
        start, end = (np.array([*(center - width / 2), width]) for width in widths)
        name = "zooming in" if widths[1] < widths[0] else "zooming out"
        return _linear_path(start, end, frames), name


@dataclass(frozen=True)
class Pan:
    """A window of constant width moves from one position to another.

    share: its width in units of the image's.
    """

    share: float = 0.75

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        width = self.share * side
        start, end = rng.uniform(0, side - width, size=(2, 2))
        path = _linear_path(np.array([*start, width]), np.array([*end, width]), frames)
        return path, "the camera panning"


@dataclass(frozen=True)
class Shift:
    """A window of the size of the frames moves by whole pixels, without resizing.

    The optical flow is known exactly.

    pixels: pixels a frame.
    """

    pixels: int = 1

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        distance = self.pixels * (frames - 1)
        if size + distance > side:
            raise ValueError(
                f"Shift: {frames} frames of {size} pixels, {self.pixels} apart, need images of "
                f"{size + distance} pixels, not {side}: increase the size of the image source"
            )
        down, across, name = (
            (0, 1, "the camera moving right"), (0, -1, "the camera moving left"),
            (1, 0, "the camera moving down"), (-1, 0, "the camera moving up"),
        )[rng.integers(4)]  # fmt: skip
        step = np.array([down, across]) * distance
        start = rng.integers(np.maximum(0, -step), side - size - np.maximum(0, step) + 1)
        path = _linear_path(np.array([*start, size]), np.array([*(start + step), size]), frames)
        return np.rint(path), name


@dataclass(frozen=True)
class PseudoVideos:
    """Videos that show a moving window of one image each.

    VidRD trains on them beside real videos (Gu et al. 2023, section 4.2: random zooming and
    panning).

    images: source of clips of one frame, at least as large as `size`.
    frames: frames of a video.
    size: height and width in pixels.
    motions: one of these is drawn for each clip.
    caption: template of captions, with {caption} and {motion}.
    """

    images: Source
    frames: int = 16
    size: int = 64
    motions: tuple[Motion, ...] = (Zoom(), Pan())
    caption: str = "{caption}, {motion}"

    def __post_init__(self):
        if self.images.frames != 1:
            raise ValueError(
                f"PseudoVideos.images has clips of {self.images.frames} frames: an image has one"
            )
        if min(sides(self.images.size)) < self.size:
            raise ValueError(
                f"PseudoVideos.size is {self.size}, but its images have {self.images.size} pixels: "
                "they must be at least as large"
            )
        if self.frames < 1 or not self.motions:
            raise ValueError("PseudoVideos needs one or more frames and one or more motions")

    def clips(self, split: str) -> "PseudoVideoClips":
        """The videos of the images of "train" or "held_out"."""
        return PseudoVideoClips(self, self.images.clips(split))


@dataclass(frozen=True)
class PseudoVideoClips(RandomSplit):
    """One split of `PseudoVideos`."""

    source: PseudoVideos
    images: Split

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Element:
        return self._animate(self.images[index], np.random.default_rng(index))

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Image `index` with a random motion."""
        return self._animate(draw(self.images, index, rng), rng)

    def _animate(self, element: Element, rng: np.random.Generator) -> Element:
        source = self.source
        (image,) = element["video"]
        motion = source.motions[rng.integers(len(source.motions))]
        path, name = motion.windows(rng, source.frames, source.size, len(image))
        clip: Element = {**element, "video": render_windows(image, path, source.size)}
        if "caption" in element:
            clip["caption"] = source.caption.format(caption=element["caption"], motion=name)
        return clip


def render_windows(
    image: UInt8[np.ndarray, "h w 3"], windows: Float[np.ndarray, "f 3"], size: int
) -> UInt8[np.ndarray, "f {size} {size} 3"]:
    """The part of an image in each of the `windows` (top, left, width), resized to `size`."""
    pil_image = Image.fromarray(image)
    frames = [
        pil_image.resize(
            (size, size), Image.Resampling.LANCZOS, box=(left, top, left + width, top + width)
        )
        for top, left, width in np.clip(windows, 0, image.shape[0]).tolist()
    ]
    return np.stack([np.asarray(frame) for frame in frames])
