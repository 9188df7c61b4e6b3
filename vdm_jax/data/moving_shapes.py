"""`MovingShapes`: captioned clips of moving colored shapes, rendered from an index."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from vdm_jax.data.shapes import DISTANCES, coverage
from vdm_jax.data.sources import Element, SubclipSplit, Window, check_split

COLORS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (255, 0, 0),
        "green": (0, 255, 0),
        "blue": (0, 0, 255),
        "yellow": (255, 255, 0),
        "magenta": (255, 0, 255),
        "cyan": (0, 255, 255),
        "white": (255, 255, 255),
        "orange": (255, 128, 0),
        "purple": (128, 0, 255),
        "pink": (255, 128, 192),
        "brown": (128, 64, 0),
        "grey": (128, 128, 128),
        "navy": (0, 0, 96),
        "black": (0, 0, 0),
    }
)
RADII: Mapping[str, float] = MappingProxyType({"small": 0.16, "large": 0.25})
"""In units of the width."""
MOTIONS: Mapping[str, str] = MappingProxyType(
    {
        "left": "moving left",
        "right": "moving right",
        "up": "moving up",
        "down": "moving down",
        "still": "standing still",
        "bounce": "bouncing",
        "grow": "growing",
    }
)
"""The words of captions for each motion."""


@dataclass(frozen=True)
class Object:
    """The attributes of one moving shape, by name; `str` gives its part of a caption."""

    shape: str
    color: str
    motion: str
    size: str

    def __str__(self) -> str:
        return f"a {self.size} {self.color} {self.shape} {MOTIONS[self.motion]}"


def _trajectory(
    motion: str, travel: float, frames: int
) -> tuple[Float[np.ndarray, "f 2"], Float[np.ndarray, " f"]]:
    """The position of a shape relative to its start (x, y), and its scale, at each frame."""
    time = np.linspace(0.0, 1.0, frames)
    rest, scale = np.zeros_like(time), np.ones_like(time)
    match motion:
        case "left":
            x, y = -travel * time, rest
        case "right":
            x, y = travel * time, rest
        case "up":
            x, y = rest, -travel * time
        case "down":
            x, y = rest, travel * time
        case "bounce":  # falls and returns to its start
            x, y = rest, travel * (1 - np.abs(1 - 2 * time))
        case "grow":  # from half its size to its full size
            x, y, scale = rest, rest, 0.5 + 0.5 * time
        case _:
            x, y = rest, rest
    return np.stack([x, y], axis=-1), scale


@dataclass(frozen=True)
class MovingShapes:
    """Clips of `objects` shapes on a plain background, each with separate attributes.

    A clip is a function of (`seed`, split, index) alone. Every combination of attributes is equally
    likely and has a label, its flat index in `backgrounds` x (`shapes` x `colors` x `motions` x
    `sizes`) ^ `objects`. Centers are uniform over the positions from which the shape stays inside
    the frame. A later object covers an earlier one.

    frames: frames of a clip.
    size: height and width in pixels.
    stride: distance between frames; with 2 they are every second frame of a clip of twice as many.
    objects: number of shapes.
    shapes, colors, motions, sizes, backgrounds: values of the attributes.
    travel: range of the distance moved, in units of the width.
    seed: random seed.
    examples: number of training clips.
    held_out: number of held-out clips.
    """

    frames: int = 8
    size: int = 16
    stride: int = 1
    objects: int = 1
    shapes: tuple[str, ...] = ("circle", "square", "triangle")
    colors: tuple[str, ...] = ("red", "green", "blue", "yellow", "magenta", "cyan", "white")
    motions: tuple[str, ...] = ("left", "right", "up", "down", "still")
    sizes: tuple[str, ...] = ("small", "large")
    backgrounds: tuple[str, ...] = ("black",)
    travel: tuple[float, float] = (0.30, 0.38)
    seed: int = 0
    examples: int = 100_000
    held_out: int = 10_000

    def __post_init__(self):
        for field in ("frames", "size", "stride", "objects", "examples", "held_out"):
            if getattr(self, field) < 1:
                raise ValueError(
                    f"MovingShapes.{field} is {getattr(self, field)}: it must be at least 1"
                )
        for field, known in (
            ("shapes", DISTANCES),
            ("colors", COLORS),
            ("motions", MOTIONS),
            ("sizes", RADII),
            ("backgrounds", COLORS),
        ):
            names = getattr(self, field)
            if not names or len(set(names)) != len(names):
                raise ValueError(
                    f"MovingShapes.{field} is {names}: give one or more names, each once"
                )
            for name in names:
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1, cutoff=0.0)[0]
                    raise ValueError(
                        f"MovingShapes.{field}: unknown name {name!r}, did you mean {near!r}? "
                        f"Known: {', '.join(known)}"
                    )
        if invisible := set(self.colors) & set(self.backgrounds):
            raise ValueError(
                f"MovingShapes: {', '.join(sorted(invisible))} is both a color and a background, "
                "which hides the shape; remove it from one of them"
            )
        if not 0 <= self.travel[0] <= self.travel[1] <= 1 - 2 * max(map(self.radius, self.sizes)):
            raise ValueError(
                f"MovingShapes.travel is {self.travel}: give two increasing numbers, at most "
                f"{1 - 2 * max(map(self.radius, self.sizes)):.2f}, so that every shape stays inside"
            )

    @property
    def _axes(self) -> tuple[tuple[str, ...], ...]:
        one = (self.shapes, self.colors, self.motions, self.sizes)
        return (self.backgrounds, *(one * self.objects))

    def _names(self, label: int | np.integer) -> list[str]:
        if not 0 <= label < self.labels:
            raise ValueError(f"label {label} is not one of the {self.labels} labels 0, 1, ...")
        digits = np.unravel_index(label, [len(axis) for axis in self._axes])
        return [axis[digit] for axis, digit in zip(self._axes, digits, strict=True)]

    @cached_property
    def labels(self) -> int:
        """The number of labels: of combinations of attributes."""
        return int(np.prod([len(axis) for axis in self._axes]))

    def attributes(self, label: int | np.integer) -> tuple[Object, ...]:
        """The attributes of each object, from a label."""
        names = self._names(int(label))[1:]
        return tuple(Object(*names[i : i + 4]) for i in range(0, len(names), 4))

    def background(self, label: int | np.integer) -> str:
        """The background, from a label."""
        return self._names(int(label))[0]

    def label(self, objects: Sequence[Object], background: str | None = None) -> int:
        """The label of these attributes, the inverse of `attributes` and `background`.

        background: None is the first one.

        Raises:
          ValueError: an attribute outside this source's.
        """
        if len(objects) != self.objects:
            raise ValueError(f"{len(objects)} objects, but this source draws {self.objects}")
        names = [background or self.backgrounds[0]]
        for one in objects:
            names += [one.shape, one.color, one.motion, one.size]
        for name, axis in zip(names, self._axes, strict=True):
            if name not in axis:
                raise ValueError(f"{name!r} is not drawn here; choose among {', '.join(axis)}")
        digits = [axis.index(name) for name, axis in zip(names, self._axes, strict=True)]
        return int(np.ravel_multi_index(digits, [len(axis) for axis in self._axes]))

    def caption(self, label: int | np.integer) -> str:
        """A sentence with every attribute of a label, and the background if there are several."""
        objects = " and ".join(map(str, self.attributes(label)))
        if len(self.backgrounds) == 1:
            return objects
        return f"{objects} on a {self.background(label)} background"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words of all captions, sorted."""
        words = {"a", *self.sizes, *self.colors, *self.shapes}
        words |= {word for motion in self.motions for word in MOTIONS[motion].split()}
        if self.objects > 1:
            words |= {"and"}
        if len(self.backgrounds) > 1:
            words |= {"on", "background", *self.backgrounds}
        return tuple(sorted(words))

    @property
    def longest_caption(self) -> int:
        """The number of words in the longest caption."""
        motion = max(len(MOTIONS[motion].split()) for motion in self.motions)
        joints = self.objects - 1
        return self.objects * (4 + motion) + joints + 4 * (len(self.backgrounds) > 1)

    def color(self, name: str) -> np.ndarray:
        """A color as three uint8 numbers: red, green, blue."""
        return np.array(COLORS[name], np.uint8)

    def radius(self, size: str) -> float:
        """The radius of a shape, in units of the width."""
        return RADII[size]

    def template(
        self, shape: str, radius: float, size: int, center: tuple[float, float]
    ) -> Float[np.ndarray, "h w"]:
        """`shape` in white on black, 0..1, in an image of `size` x `size` pixels.

        `radius` and `center` = (x, y) are in units of the width: (0.5, 0.5) is the middle.
        """
        return coverage(shape, np.asarray(center, np.float64), np.asarray(radius, np.float64), size)

    def clips(self, split: str) -> "ShapeClips":
        """The clips of "train" or "held_out", two random streams."""
        return ShapeClips(self, check_split(split))

    def render(
        self, label: int | np.integer, rng: np.random.Generator, window: Window | None = None
    ) -> np.ndarray:
        """A clip [f h w 3] of a label, with positions and distances drawn from `rng`.

        window: the part to render; None is all.
        """
        whole = Window(range(self.frames), range(self.size), range(self.size))
        part = window or whole
        video = np.broadcast_to(
            self.color(self.background(label)).astype(np.float32), (*map(len, part), 3)
        )
        for one in self.attributes(label):
            length = self.frames * self.stride
            offset, scale = _trajectory(one.motion, rng.uniform(*self.travel), length)
            radius = self.radius(one.size)
            start = rng.uniform(radius - offset.min(0), 1 - radius - offset.max(0))
            times = self.stride * np.array(part.frames)
            alpha = coverage(
                one.shape, start + offset[times], radius * scale[times], self.size,
                part.rows, part.columns,
            )  # fmt: skip
            alpha = alpha[..., None].astype(np.float32)
            video = video + alpha * (self.color(one.color) - video)
        return np.rint(video).astype(np.uint8)


@dataclass(frozen=True)
class ShapeClips(SubclipSplit):
    """One split of `MovingShapes`."""

    source: MovingShapes
    split: str

    def __len__(self) -> int:
        return self.source.examples if self.split == "train" else self.source.held_out

    def __getitem__(self, index: int) -> Element:
        return self.subclip(index, None)

    def subclip(self, index: int, window: Window | None) -> Element:
        """The `window` of clip `index`; None is all of it."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        stream = 0 if self.split == "train" else 1
        rng = np.random.default_rng((self.source.seed, stream, index))
        label = int(rng.integers(self.source.labels))
        return {
            "video": self.source.render(label, rng, window),
            "label": np.int32(label),
            "caption": self.source.caption(label),
            "key": f"{self.split}/{index}",
        }
