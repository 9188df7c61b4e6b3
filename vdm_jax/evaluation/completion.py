"""What a model makes of clips of which some frames are known: prediction, extension, interpolation.

Every measure is taken for several ways of conditioning on the same clips with the same noise, so
that replacement stands in one table with reconstruction guidance.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from vdm_jax import data, diffusion
from vdm_jax.data import Element
from vdm_jax.evaluation.oracle import ATTRIBUTES, centers, decide_all
from vdm_jax.evaluation.subject import (
    Clips,
    CompletionModel,
    Results,
    encode,
    evenly_spaced,
    labels,
    up_to,
)
from vdm_jax.evaluation.templates import templates
from vdm_jax.types import Key

Corrections = tuple[diffusion.Correction | None, ...]
TABLE: Corrections = (None, diffusion.ReconstructionGuidance(10.0))


def title(correction: diffusion.Correction | None) -> str:
    """What a way of conditioning is called in results: `replacement`, `Gradient 10`, ..."""
    if correction is None:
        return "replacement"
    values = [getattr(correction, field.name) for field in dataclasses.fields(correction)]  # pyright: ignore[reportArgumentType]
    shown = [f"{v:g}" if isinstance(v, int | float) else type(v).__name__ for v in values]
    return " ".join([type(correction).__name__, *shown])


def known(videos: Clips, frames: Bool[np.ndarray, "f"]) -> diffusion.KnownPixels:
    """These frames of the clips."""
    x = jnp.asarray(data.to_float(videos))
    return diffusion.KnownPixels(x, jnp.asarray(np.tile(frames, (len(videos), 1))))


@dataclass(frozen=True)
class Prediction:
    """The rest of held-out MovingShapes whose first `given` frames are known.

    colour, direction: the fraction of clips whose new frames keep those of the label; direction is
    the nearest course of the centroid from the last known frame on. position: the distance in
    pixels between the object's centroids in the first new frame, made and true.

    Each also without captions, under `..., no caption`; `truth` is the score of the true clips.
    """

    clips: int = 128
    given: int = 4
    corrections: Corrections = TABLE
    known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise()
    every: int | None = None

    @property
    def name(self) -> str:
        return "prediction"

    def __call__(self, key: Key, subject: CompletionModel) -> Results:
        source = shapes(subject)
        chosen = evenly_spaced(source, "held_out", self.clips)
        true = np.stack([e["video"] for e in chosen])
        first = np.arange(source.frames) < self.given
        results = {"truth": self.scores(true, chosen, source)}
        for correction in self.corrections:
            for suffix, cond in (
                ("", encode(subject, chosen)),
                (", no caption", subject.encode([""] * self.clips, [-1] * self.clips)),
            ):
                made = subject.complete(
                    key,
                    cond,
                    known(true, first),
                    correction=correction,
                    known_noise=self.known_noise,
                )
                scores = self.scores(made, chosen, source)
                results[title(correction) + suffix] = scores
        return results

    def scores(
        self, videos: Clips, chosen: Sequence[Element], source: data.MovingShapes
    ) -> dict[str, float]:
        """The three measures of these clips as continuations of the chosen ones."""
        asked = [source.attributes(label)[0] for label in labels(chosen)]
        found = decide_all(videos[:, self.given :], source)
        where, right = centers(videos, source), centers(_videos(chosen), source)
        moved = where[:, self.given - 1 :] - where[:, self.given - 1 : self.given]
        directions = nearest_course(moved, source, self.given - 1)
        distance = np.linalg.norm(where[:, self.given] - right[:, self.given], axis=-1)
        return {
            "colour": _fraction(
                shown.color == one.color for shown, one in zip(found, asked, strict=True)
            ),
            "direction": _fraction(
                d == one.motion for d, one in zip(directions, asked, strict=True)
            ),
            "position": float(distance.mean()),
        }


@dataclass(frozen=True)
class Extension:
    """Held-out MovingShapes continued to `frames` frames by blocks that overlap by `overlap`.

    colour, shape, size, clean: what the oracle says of the last frames, as many as a clip has;
    `truth` is what it says of the clips that were continued.
    """

    clips: int = 64
    frames: int = 32
    overlap: int = 4
    corrections: Corrections = TABLE
    known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise()
    every: int | None = None

    @property
    def name(self) -> str:
        return "extension"

    def __call__(self, key: Key, subject: CompletionModel) -> Results:
        source = shapes(subject)
        chosen = evenly_spaced(source, "held_out", self.clips)
        cond, true = encode(subject, chosen), _videos(chosen)
        results = {"truth": self.scores(true, chosen, source)}
        for correction in self.corrections:
            long = subject.extend(
                key,
                cond,
                true,
                self.frames,
                self.overlap,
                correction=correction,
                known_noise=self.known_noise,
            )
            results[title(correction)] = self.scores(long[:, -source.frames :], chosen, source)
        return results

    def scores(
        self, videos: Clips, chosen: Sequence[Element], source: data.MovingShapes
    ) -> dict[str, float]:
        """The fractions of these clips that show what the chosen ones show."""
        found = decide_all(videos, source)
        asked = [source.attributes(label)[0] for label in labels(chosen)]
        pairs = list(zip(found, asked, strict=True))
        return {
            name: _fraction(
                getattr(shown, ATTRIBUTES[name]) == getattr(one, ATTRIBUTES[name])
                for shown, one in pairs
            )
            for name in ("colour", "shape", "size")
        } | {"clean": _fraction(shown.clean for shown in found)}


@dataclass(frozen=True)
class Interpolation:
    """Every second frame of held-out MovingShapes is known, the others are made, without captions.

    colour: kept in the made frames. middle: distance in pixels from the made centroid to the middle
    of its neighbours'. between: the fraction of made frames whose centroid lies in the circle that
    has its neighbours on opposite sides, or within half a pixel of it.
    """

    clips: int = 128
    corrections: Corrections = TABLE
    known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise()
    every: int | None = None

    @property
    def name(self) -> str:
        return "interpolation"

    def __call__(self, key: Key, subject: CompletionModel) -> Results:
        source = shapes(subject)
        chosen = evenly_spaced(source, "held_out", self.clips)
        cond = subject.encode([""] * self.clips, [-1] * self.clips)
        true, even = _videos(chosen), np.arange(source.frames) % 2 == 0
        results = {"truth": self.scores(true, chosen, source)}
        for correction in self.corrections:
            made = subject.complete(
                key, cond, known(true, even), correction=correction, known_noise=self.known_noise
            )
            results[title(correction)] = self.scores(made, chosen, source)
        return results

    def scores(
        self, videos: Clips, chosen: Sequence[Element], source: data.MovingShapes
    ) -> dict[str, float]:
        """The three measures of clips whose even frames are known."""
        where = centers(videos, source)
        before, made, after = where[:, :-2:2], where[:, 1:-1:2], where[:, 2::2]
        middle = np.linalg.norm(made - (before + after) / 2, axis=-1)
        reach = np.linalg.norm(after - before, axis=-1) / 2
        found = decide_all(videos[:, 1::2], source)
        asked = [source.attributes(label)[0] for label in labels(chosen)]
        return {
            "colour": _fraction(
                shown.color == one.color for shown, one in zip(found, asked, strict=True)
            ),
            "middle": float(middle.mean()),
            "between": float(np.mean(middle <= reach + 0.5)),
        }


@dataclass(frozen=True)
class Seam:
    """The step from the last known frame to the first new one, on held-out clips of any data.

    `clips` of them, or all where there are fewer.

    seam: the mean absolute difference of those two frames, in units of 0..255. inside: the same
    of the other steps among new frames. `truth`: both for the true clips, of which seam and inside
    are steps between the same frames. A seam larger than the true one is a jump; one much smaller
    may be a video that stands still.
    """

    clips: int = 64
    given: int = 4
    corrections: Corrections = TABLE
    known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise()
    every: int | None = None

    @property
    def name(self) -> str:
        return "seam"

    def __call__(self, key: Key, subject: CompletionModel) -> Results:
        chosen = up_to(subject.data, "held_out", self.clips)
        cond, true = encode(subject, chosen), _videos(chosen)
        first = np.arange(true.shape[1]) < self.given
        results = {"truth": self.scores(true, true)}
        for correction in self.corrections:
            made = subject.complete(
                key, cond, known(true, first), correction=correction, known_noise=self.known_noise
            )
            results[title(correction)] = self.scores(made, true)
        return results

    def scores(self, videos: Clips, true: Clips) -> dict[str, float]:
        """The measures of clips whose first frames are known; error is that of the new frames."""
        x = videos.astype(np.float64)
        steps = np.abs(np.diff(x, axis=1)).mean(axis=(0, 2, 3, 4))
        return {
            "seam": float(steps[self.given - 1]),
            "inside": float(steps[self.given :].mean()),
            "error": float(np.abs(x - true)[:, self.given :].mean()),
        }


def nearest_course(
    moved: Float[np.ndarray, "b f 2"], source: data.MovingShapes, first: int
) -> list[str]:
    """The motion whose course from frame `first` on is nearest to each, in pixels from
    there."""
    courses = {
        motion: source.size * (course[first:] - course[first])
        for motion, course in templates(source).course.items()
    }
    strays = np.stack(
        [np.square(moved - course[None]).sum(axis=(1, 2)) for course in courses.values()], axis=1
    )
    return [list(courses)[i] for i in strays.argmin(axis=1)]


def shapes(subject: CompletionModel) -> data.MovingShapes:
    """The subject's data, which these measures know the geometry of."""
    if not isinstance(subject.data, data.MovingShapes):
        raise ValueError(
            f"only MovingShapes can be measured like this, not {type(subject.data).__name__}: "
            "use Seam"
        )
    return subject.data


def _videos(chosen: Sequence[Element]) -> Clips:
    return np.stack([e["video"] for e in chosen])


def _fraction(right) -> float:
    return float(np.mean(list(right)))
