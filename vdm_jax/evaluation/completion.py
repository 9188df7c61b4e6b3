"""Evaluations of video completion: prediction, extension and interpolation.

Each evaluation compares several corrections, such as replacement (None) and reconstruction
guidance, on the same clips with the same noise.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from vdm_jax import data, diffusion
from vdm_jax.data import Element
from vdm_jax.evaluation.elements import encode, evenly_spaced, labels, up_to
from vdm_jax.evaluation.oracle import ATTRIBUTES, centers, decide_all
from vdm_jax.evaluation.templates import templates
from vdm_jax.interfaces import Clips, CompletionModel, Results
from vdm_jax.types import Key

Corrections = tuple[diffusion.Correction | None, ...]
TABLE: Corrections = (None, diffusion.ReconstructionGuidance(10.0))


def correction_title(correction: diffusion.Correction | None) -> str:
    """The name of a correction in results: `replacement`, `ReconstructionGuidance 10`, ..."""
    if correction is None:
        return "replacement"
    values = [getattr(correction, field.name) for field in dataclasses.fields(correction)]  # pyright: ignore[reportArgumentType]
    shown = [f"{v:g}" if isinstance(v, int | float) else type(v).__name__ for v in values]
    return " ".join([type(correction).__name__, *shown])


def known_frames(videos: Clips, frames: Bool[np.ndarray, "f"]) -> diffusion.KnownPixels:
    """The clips with a mask that marks these frames as known."""
    x = jnp.asarray(data.to_float(videos))
    return diffusion.KnownPixels(x, jnp.asarray(np.tile(frames, (len(videos), 1))))


@dataclass(frozen=True)
class Prediction:
    """Predicts the rest of held-out MovingShapes from their first `given` frames.

    Scores: `colour` and `direction`, the fractions of clips whose new frames have the label's color
    and direction (the course nearest to that of the centroid after the last known frame);
    `position`, the distance in pixels between the generated and the true centroid in the first new
    frame. Scores without captions are named `..., no caption`; `truth` holds those of true clips.

    clips: number of clips.
    given: number of known frames.
    corrections: the corrections to compare; None is replacement.
    known_noise: the noise of the known frames.
    every: training steps between two evaluations; None is at the end only.
    """

    clips: int = 128
    given: int = 4
    corrections: Corrections = TABLE
    known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise()
    every: int | None = None

    @property
    def name(self) -> str:
        return "prediction"

    def __call__(self, key: Key, model: CompletionModel) -> Results:
        source = moving_shapes(model)
        chosen = evenly_spaced(source, "held_out", self.clips)
        true = np.stack([e["video"] for e in chosen])
        first = np.arange(source.frames) < self.given
        results = {"truth": self.scores(true, chosen, source)}
        for correction in self.corrections:
            for suffix, cond in (
                ("", encode(model, chosen)),
                (", no caption", model.encode([""] * self.clips, [-1] * self.clips)),
            ):
                completed = model.complete(
                    key,
                    cond,
                    known_frames(true, first),
                    correction=correction,
                    known_noise=self.known_noise,
                )
                scores = self.scores(completed, chosen, source)
                results[correction_title(correction) + suffix] = scores
        return results

    def scores(
        self, videos: Clips, chosen: Sequence[Element], source: data.MovingShapes
    ) -> dict[str, float]:
        """The three scores of these clips as continuations of the chosen ones."""
        prompts = [source.attributes(label)[0] for label in labels(chosen)]
        decisions = decide_all(videos[:, self.given :], source)
        generated, true = centers(videos, source), centers(_videos(chosen), source)
        moved = generated[:, self.given - 1 :] - generated[:, self.given - 1 : self.given]
        directions = nearest_course(moved, source, self.given - 1)
        distance = np.linalg.norm(generated[:, self.given] - true[:, self.given], axis=-1)
        return {
            "colour": _fraction(
                d.color == prompt.color for d, prompt in zip(decisions, prompts, strict=True)
            ),
            "direction": _fraction(
                d == prompt.motion for d, prompt in zip(directions, prompts, strict=True)
            ),
            "position": float(distance.mean()),
        }


@dataclass(frozen=True)
class Extension:
    """Extends held-out MovingShapes to `frames` frames, block by block.

    Scores: the oracle's `colour`, `shape`, `size` and `clean` on the last frames, as many as a clip
    has; `truth` holds those of the original clips.

    clips: number of clips.
    frames: frames after extension.
    overlap: known frames at the start of each block.
    corrections: the corrections to compare; None is replacement.
    known_noise: the noise of the known frames.
    every: training steps between two evaluations; None is at the end only.
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

    def __call__(self, key: Key, model: CompletionModel) -> Results:
        source = moving_shapes(model)
        chosen = evenly_spaced(source, "held_out", self.clips)
        cond, true = encode(model, chosen), _videos(chosen)
        results = {"truth": self.scores(true, chosen, source)}
        for correction in self.corrections:
            long = model.extend(
                key,
                cond,
                true,
                self.frames,
                self.overlap,
                correction=correction,
                known_noise=self.known_noise,
            )
            results[correction_title(correction)] = self.scores(
                long[:, -source.frames :], chosen, source
            )
        return results

    def scores(
        self, videos: Clips, chosen: Sequence[Element], source: data.MovingShapes
    ) -> dict[str, float]:
        """The fractions of these clips with the attributes of the chosen ones."""
        decisions = decide_all(videos, source)
        prompts = [source.attributes(label)[0] for label in labels(chosen)]
        pairs = list(zip(decisions, prompts, strict=True))
        return {
            name: _fraction(
                getattr(decision, ATTRIBUTES[name]) == getattr(prompt, ATTRIBUTES[name])
                for decision, prompt in pairs
            )
            for name in ("colour", "shape", "size")
        } | {"clean": _fraction(decision.clean for decision in decisions)}


@dataclass(frozen=True)
class Interpolation:
    """Generates every second frame of held-out MovingShapes from the others, without captions.

    Scores: `colour`, the fraction of clips whose generated frames have the label's color; `middle`,
    the distance in pixels from the generated centroid to the midpoint of its neighbors; `between`,
    the fraction of generated frames whose centroid lies in the circle whose diameter joins its
    neighbors, or within half a pixel of it. `truth` holds those of true clips.

    clips: number of clips.
    corrections: the corrections to compare; None is replacement.
    known_noise: the noise of the known frames.
    every: training steps between two evaluations; None is at the end only.
    """

    clips: int = 128
    corrections: Corrections = TABLE
    known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise()
    every: int | None = None

    @property
    def name(self) -> str:
        return "interpolation"

    def __call__(self, key: Key, model: CompletionModel) -> Results:
        source = moving_shapes(model)
        chosen = evenly_spaced(source, "held_out", self.clips)
        cond = model.encode([""] * self.clips, [-1] * self.clips)
        true, even = _videos(chosen), np.arange(source.frames) % 2 == 0
        results = {"truth": self.scores(true, chosen, source)}
        for correction in self.corrections:
            completed = model.complete(
                key,
                cond,
                known_frames(true, even),
                correction=correction,
                known_noise=self.known_noise,
            )
            results[correction_title(correction)] = self.scores(completed, chosen, source)
        return results

    def scores(
        self, videos: Clips, chosen: Sequence[Element], source: data.MovingShapes
    ) -> dict[str, float]:
        """The three scores of clips whose even frames are known."""
        centroid = centers(videos, source)
        before, new, after = centroid[:, :-2:2], centroid[:, 1:-1:2], centroid[:, 2::2]
        middle = np.linalg.norm(new - (before + after) / 2, axis=-1)
        radius = np.linalg.norm(after - before, axis=-1) / 2
        decisions = decide_all(videos[:, 1::2], source)
        prompts = [source.attributes(label)[0] for label in labels(chosen)]
        return {
            "colour": _fraction(
                d.color == prompt.color for d, prompt in zip(decisions, prompts, strict=True)
            ),
            "middle": float(middle.mean()),
            "between": float(np.mean(middle <= radius + 0.5)),
        }


@dataclass(frozen=True)
class Seam:
    """The step from the last known frame to the first new one, on held-out clips of any data.

    Scores: `seam`, the mean absolute difference of those two frames in 0..255; `inside`, that of
    consecutive new frames; `error`, that of the new frames and the true ones. `truth` holds those
    of true clips. A seam above the true one is a jump; one far below may be a static video.

    clips: number of clips, or all if there are fewer.
    given: number of known frames.
    corrections: the corrections to compare; None is replacement.
    known_noise: the noise of the known frames.
    every: training steps between two evaluations; None is at the end only.
    """

    clips: int = 64
    given: int = 4
    corrections: Corrections = TABLE
    known_noise: diffusion.KnownNoise = diffusion.ForwardProcessNoise()
    every: int | None = None

    @property
    def name(self) -> str:
        return "seam"

    def __call__(self, key: Key, model: CompletionModel) -> Results:
        chosen = up_to(model.data, "held_out", self.clips)
        cond, true = encode(model, chosen), _videos(chosen)
        first = np.arange(true.shape[1]) < self.given
        results = {"truth": self.scores(true, true)}
        for correction in self.corrections:
            completed = model.complete(
                key,
                cond,
                known_frames(true, first),
                correction=correction,
                known_noise=self.known_noise,
            )
            results[correction_title(correction)] = self.scores(completed, true)
        return results

    def scores(self, videos: Clips, true: Clips) -> dict[str, float]:
        """The three scores of clips whose first frames are known."""
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
    """The motion of each clip: the one whose course since frame `first` is nearest.

    moved: displacements since frame `first`, in pixels.
    """
    courses = {
        motion: source.size * (course[first:] - course[first])
        for motion, course in templates(source).course.items()
    }
    distances = np.stack(
        [np.square(moved - course[None]).sum(axis=(1, 2)) for course in courses.values()], axis=1
    )
    return [list(courses)[i] for i in distances.argmin(axis=1)]


def moving_shapes(model: CompletionModel) -> data.MovingShapes:
    """The model's data.

    Raises:
      ValueError: it is not MovingShapes, whose geometry these evaluations depend on.
    """
    if not isinstance(model.data, data.MovingShapes):
        raise ValueError(
            f"this evaluation needs MovingShapes, not {type(model.data).__name__}: use Seam"
        )
    return model.data


def _videos(chosen: Sequence[Element]) -> Clips:
    return np.stack([e["video"] for e in chosen])


def _fraction(correct) -> float:
    return float(np.mean(list(correct)))
