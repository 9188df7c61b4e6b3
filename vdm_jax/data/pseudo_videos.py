"""Videos made of pictures: a window that moves over a still image."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from vdm_jax.data.mixtures import draw
from vdm_jax.data.sources import Element, Source, Split, sides


@runtime_checkable
class Motion(Protocol):
    """How the window moves."""

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        """(top, left, width) of the square window at each frame, in pixels of an image of `side` x
        `side`, and what a caption may call the motion; it is shown at `size` pixels."""
        ...


def _between(
    start: Float[np.ndarray, " 3"], end: Float[np.ndarray, " 3"], frames: int
) -> Float[np.ndarray, "f 3"]:
    """From one window to another at a steady pace."""
    time = np.linspace(0.0, 1.0, frames).reshape(-1, 1)
    return start.reshape(1, 3) + time * (end - start).reshape(1, 3)


@dataclass(frozen=True)
class Zoom:
    """The window shrinks or grows about its centre, between two shares of the image's width.

    `shares` is the range that both are drawn from.
    """

    shares: tuple[float, float] = (0.5, 1.0)

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        widths = side * rng.uniform(*self.shares, size=2)
        center = rng.uniform(widths.max() / 2, side - widths.max() / 2, size=2)
        start, end = (np.array([*(center - width / 2), width]) for width in widths)
        name = "zooming in" if widths[1] < widths[0] else "zooming out"
        return _between(start, end, frames), name


@dataclass(frozen=True)
class Pan:
    """A window of one width, the share `share` of the image's, goes from one place to
    another."""

    share: float = 0.75

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        width = self.share * side
        start, end = rng.uniform(0, side - width, size=(2, 2))
        path = _between(np.array([*start, width]), np.array([*end, width]), frames)
        return path, "the camera panning"


@dataclass(frozen=True)
class Shift:
    """A window of the size shown goes by whole pixels a frame, `pixels` of them, one way.

    Nothing is resized, so that the optical flow is known exactly.
    """

    pixels: int = 1

    def windows(
        self, rng: np.random.Generator, frames: int, size: int, side: int
    ) -> tuple[Float[np.ndarray, "f 3"], str]:
        way = self.pixels * (frames - 1)
        if size + way > side:
            raise ValueError(
                f"Shift: {frames} frames of {size} pixels, {self.pixels} apart, need images of "
                f"{size + way} pixels, not {side}: raise the size of the source of images"
            )
        down, across, name = (
            (0, 1, "the camera moving right"), (0, -1, "the camera moving left"),
            (1, 0, "the camera moving down"), (-1, 0, "the camera moving up"),
        )[rng.integers(4)]  # fmt: skip
        step = np.array([down, across]) * way
        start = rng.integers(np.maximum(0, -step), side - size - np.maximum(0, step) + 1)
        path = _between(np.array([*start, size]), np.array([*(start + step), size]), frames)
        return np.rint(path), name


@dataclass(frozen=True)
class PseudoVideos:
    """Videos of `frames` frames of `size` pixels, each a window that moves over one image.

    A source of images (clips of one frame, at least as large as `size`) becomes one of videos,
    which VidRD trains on beside real ones (Gu et al. 2023, section 4.2: random zooming and
    panning). One of `motions` is drawn for each clip, and told by its caption as `caption` says.
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
                f"PseudoVideos.size is {self.size}, and its images have {self.images.size} pixels: "
                "they have to be as large or larger"
            )
        if self.frames < 1 or not self.motions:
            raise ValueError("PseudoVideos: it needs a frame or more, and a motion or more")

    def clips(self, split: str) -> "Moved":
        """The videos of the images of "train" or "held_out"."""
        return Moved(self, self.images.clips(split))


@dataclass(frozen=True)
class Moved:
    """One split of `PseudoVideos`."""

    source: PseudoVideos
    images: Split

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Element:
        return self._moved(self.images[index], np.random.default_rng(index))

    def draw(self, index: int, rng: np.random.Generator) -> Element:
        """Image `index` with a random motion."""
        return self._moved(draw(self.images, index, rng), rng)

    def _moved(self, element: Element, rng: np.random.Generator) -> Element:
        source = self.source
        (image,) = element["video"]
        motion = source.motions[rng.integers(len(source.motions))]
        path, name = motion.windows(rng, source.frames, source.size, len(image))
        found: Element = {**element, "video": through(image, path, source.size)}
        if "caption" in element:
            found["caption"] = source.caption.format(caption=element["caption"], motion=name)
        return found


def through(
    image: UInt8[np.ndarray, "h w 3"], windows: Float[np.ndarray, "f 3"], size: int
) -> UInt8[np.ndarray, "f {size} {size} 3"]:
    """What is seen of an image through each of the `windows` (top, left, width)."""
    picture = Image.fromarray(image)
    frames = [
        picture.resize(
            (size, size), Image.Resampling.LANCZOS, box=(left, top, left + width, top + width)
        )
        for top, left, width in np.clip(windows, 0, image.shape[0]).tolist()
    ]
    return np.stack([np.asarray(frame) for frame in frames])
