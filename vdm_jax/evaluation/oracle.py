"""An oracle for `MovingShapes`: geometry, no network, says what a clip shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from vdm_jax import data
from vdm_jax.evaluation.subject import Clips, Model, Results, encode, evenly_spaced, labels
from vdm_jax.evaluation.templates import centroids, coverage, templates
from vdm_jax.types import Key


@dataclass(frozen=True)
class Decision:
    """What the oracle sees in a clip, and how well that explains the clip.

    `fit` is the cosine between the clip and the best template, averaged over the frames.
    `contrast` is how much more of its colour the shape has than its surroundings: 1 for full
    colour on plain ground, about 0.8 in true clips of 16 pixels, which are half edges.
    """

    shape: str
    color: str
    motion: str
    size: str
    fit: float
    contrast: float

    @property
    def clean(self) -> bool:
        """One whole shape on its background: template fit > 0.8 and contrast > 0.5."""
        return self.fit > 0.8 and self.contrast > 0.5


ATTRIBUTES = {"colour": "color", "motion": "motion", "shape": "shape", "size": "size"}
"""Scores by name in `evaluations.jsonl`, each with its field of `Decision` and `data.Object`."""


@dataclass(frozen=True)
class MovingShapesOracle:
    """Fractions of generated clips that show the colour, motion, shape and size of their prompt.

    `samples` held-out prompts, one clip each. `clean` is the fraction of clips with one whole
    shape, right or wrong. True clips score 1; noise scores 1 / (number of values) and clean 0.
    """

    samples: int = 128
    every: int | None = None

    @property
    def name(self) -> str:
        return "oracle"

    def __call__(self, key: Key, subject: Model) -> Results:
        source = _single(subject.data)
        prompts = evenly_spaced(source, "held_out", self.samples)
        videos = np.asarray(subject.generate(key, encode(subject, prompts), self.samples))
        found = decide_all(videos, source)
        asked = [source.attributes(label)[0] for label in labels(prompts)]
        pairs = list(zip(found, asked, strict=True))
        scores = {
            name: float(
                np.mean([getattr(shown, field) == getattr(one, field) for shown, one in pairs])
            )
            for name, field in ATTRIBUTES.items()
        }
        clean = float(np.mean([shown.clean for shown in found]))
        return scores | {"clean": clean, "samples": self.samples}


def decide(video: UInt8[np.ndarray, "f h w c"], source: data.MovingShapes) -> Decision:
    """What one clip shows, among all that `source` can draw; see `decide_all`."""
    return decide_all(video[None], source)[0]


def decide_all(videos: Clips, source: data.MovingShapes) -> list[Decision]:
    """What each clip shows, among all that `source` can draw.

    Colour: the mean of the foreground against the colour table. Shape and size: the best of the
    templates at the centroids. Motion: the nearest course of the centroid. The clips may have
    another size or number of frames than the source; two objects raise ValueError.
    """
    source = _single(source)
    if videos.dtype != np.uint8 or videos.ndim != 5 or videos.shape[-1] != 3:
        raise ValueError(
            f"the oracle sees uint8 [b f h w 3], not {videos.dtype} {list(videos.shape)}"
        )
    if videos.shape[2] != videos.shape[3]:
        raise ValueError(f"MovingShapes are square, these clips {list(videos.shape)} are not")
    source = replace(source, frames=videos.shape[1], size=videos.shape[2])
    batches = np.array_split(videos, -(-len(videos) // _BATCH) or 1)
    return [decision for batch in batches for decision in _decide(batch, source)]


_BATCH = 64  # clips at a time, for memory


def _decide(videos: Clips, source: data.MovingShapes) -> list[Decision]:
    x = videos.astype(np.float32)
    background = _nearest(_borders(x), _table(source, source.backgrounds))
    inside = _foreground(x, background)
    mean = (x * inside[..., None]).sum((1, 2, 3)) / np.maximum(inside.sum((1, 2, 3)), 1)[:, None]
    table = _table(source, source.colors)
    color = _nearest(mean, table)
    cover = coverage(x, color[:, None], background[:, None])
    contrast = _average(cover, inside) - _average(cover, ~inside)
    centers = centroids(cover * inside)

    bank = templates(source)
    fits = bank.fits(cover, centers).mean(axis=-1)
    moved = centers - centers.mean(axis=1, keepdims=True)
    names = [source.colors[i] for i in np.argmin(_distances(color, table), axis=1)]
    decisions = []
    for i, best in enumerate(fits.argmax(axis=1)):
        shape, size, growth = bank.hypotheses[best]
        motions = [motion for motion in source.motions if bank.growth[motion] == growth]
        strays = [np.square(moved[i] - bank.course[motion]).sum() for motion in motions]
        motion = motions[int(np.argmin(strays))]
        decisions.append(
            Decision(shape, names[i], motion, size, float(fits[i, best]), float(contrast[i]))
        )
    return decisions


def centers(videos: Clips, source: data.MovingShapes) -> Float[np.ndarray, "b f 2"]:
    """The centroid (x, y), in pixels, of what differs from the background, whatever its colour.

    Differences below an eighth of the clip's largest are taken for noise.
    """
    x = videos.astype(np.float32)
    far, peak = _differences(x, _nearest(_borders(x), _table(source, source.backgrounds)))
    return centroids(np.maximum(far - peak / 8, 0)) * videos.shape[3]


def _single(source: data.Source) -> data.MovingShapes:
    if not isinstance(source, data.MovingShapes):
        raise ValueError(
            f"the oracle knows the geometry of MovingShapes only, not of {type(source).__name__}: "
            "evaluate this data with FrechetDistance or DenoisingError"
        )
    if source.objects != 1:
        raise ValueError(
            f"the oracle decides clips of one object, this source draws {source.objects}"
        )
    return source


def _table(source: data.MovingShapes, names: Sequence[str]) -> Float[np.ndarray, "n c"]:
    return np.stack([source.color(name) for name in names]).astype(np.float32)


def _distances(
    colors: Float[np.ndarray, "b c"], table: Float[np.ndarray, "n c"]
) -> Float[np.ndarray, "b n"]:
    return np.square(colors[:, None] - table[None]).sum(axis=-1)


def _nearest(
    colors: Float[np.ndarray, "b c"], table: Float[np.ndarray, "n c"]
) -> Float[np.ndarray, "b c"]:
    return table[np.argmin(_distances(colors, table), axis=1)]


def _borders(x: Float[np.ndarray, "b f h w c"]) -> Float[np.ndarray, "b c"]:
    """The median colour of the outermost pixels, most of which no shape reaches."""
    edges = (x[:, :, 0], x[:, :, -1], x[:, :, :, 0], x[:, :, :, -1])
    return np.median(np.concatenate(edges, axis=2), axis=(1, 2))


def _foreground(
    x: Float[np.ndarray, "b f h w c"], background: Float[np.ndarray, "b c"]
) -> np.ndarray:
    """The pixels at least half as far from the background as the farthest fiftieth of a clip."""
    far, peak = _differences(x, background)
    return far > peak / 2


def _differences(
    x: Float[np.ndarray, "b f h w c"], background: Float[np.ndarray, "b c"]
) -> tuple[Float[np.ndarray, "b f h w"], Float[np.ndarray, "b 1 1 1"]]:
    """How far each pixel is from the background, and the mean of the farthest fiftieth."""
    far = np.sqrt(np.square(x - background[:, None, None, None]).sum(axis=-1))
    ranked = np.sort(far.reshape(len(far), -1), axis=1)
    peak = ranked[:, -max(1, ranked.shape[1] // 50) :].mean(axis=1)
    return far, peak[:, None, None, None]


def _average(value: Float[np.ndarray, "b f h w"], where: np.ndarray) -> Float[np.ndarray, "b"]:
    return (value * where).sum((1, 2, 3)) / np.maximum(where.sum((1, 2, 3)), 1)
