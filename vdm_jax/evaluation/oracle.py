"""An oracle for `MovingShapes`: recognizes a clip's attributes by geometry, without a network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from vdm_jax import data
from vdm_jax.evaluation.elements import encode, evenly_spaced, labels
from vdm_jax.evaluation.templates import centroids, coverage, templates
from vdm_jax.interfaces import Clips, Model, Results
from vdm_jax.types import Key


@dataclass(frozen=True)
class Decision:
    """The attributes of a clip as recognized by the oracle, and how well they explain the clip.

    shape, color, motion, size: names of `MovingShapes`.
    fit: the cosine between the clip and the best template, averaged over frames.
    contrast: the shape's color coverage minus that of its surroundings; 1 for a full color on a
      plain background, about 0.8 in true clips of 16 pixels, where half of the pixels are edges.
    """

    shape: str
    color: str
    motion: str
    size: str
    fit: float
    contrast: float

    @property
    def clean(self) -> bool:
        """Whether the clip shows one whole shape: fit > 0.8 and contrast > 0.5."""
        return self.fit > 0.8 and self.contrast > 0.5


ATTRIBUTES = {"colour": "color", "motion": "motion", "shape": "shape", "size": "size"}
"""The names of scores in `evaluations.jsonl`, and the fields of `Decision` and `data.Object`."""


@dataclass(frozen=True)
class MovingShapesOracle:
    """The fractions of generated clips that show the color, motion, shape and size of their prompt.

    `clean` is the fraction of clips with one whole shape, right or wrong. True clips score 1; noise
    scores 1 / (number of values) per attribute, and 0 for `clean`.

    samples: number of held-out prompts, one clip per prompt.
    every: training steps between two evaluations; None is at the end only.
    """

    samples: int = 128
    every: int | None = None

    @property
    def name(self) -> str:
        return "oracle"

    def __call__(self, key: Key, model: Model) -> Results:
        source = _check_source(model.data)
        chosen = evenly_spaced(source, "held_out", self.samples)
        videos = np.asarray(model.generate(key, encode(model, chosen), self.samples))
        decisions = decide_all(videos, source)
        prompts = [source.attributes(label)[0] for label in labels(chosen)]
        pairs = list(zip(decisions, prompts, strict=True))
        scores = {
            name: float(np.mean([getattr(d, field) == getattr(p, field) for d, p in pairs]))
            for name, field in ATTRIBUTES.items()
        }
        clean = float(np.mean([decision.clean for decision in decisions]))
        return scores | {"clean": clean, "samples": self.samples}


def decide(video: UInt8[np.ndarray, "f h w c"], source: data.MovingShapes) -> Decision:
    """The attributes of one clip, among those of `source`; see `decide_all`."""
    return decide_all(video[None], source)[0]


def decide_all(videos: Clips, source: data.MovingShapes) -> list[Decision]:
    """The attributes of each clip, among those of `source`.

    Color: the nearest of the color table to the mean of the foreground. Shape and size: the best
    template at the centroids. Motion: the course nearest to that of the centroid. The clips may
    have another size or number of frames than the source.

    Raises:
      ValueError: clips that are not uint8 [b f h w 3] and square, or a source of several objects.
    """
    source = _check_source(source)
    if videos.dtype != np.uint8 or videos.ndim != 5 or videos.shape[-1] != 3:
        raise ValueError(
            f"the oracle needs uint8 [b f h w 3], not {videos.dtype} {list(videos.shape)}"
        )
    if videos.shape[2] != videos.shape[3]:
        raise ValueError(f"the oracle needs square clips, not {list(videos.shape)}")
    source = replace(source, frames=videos.shape[1], size=videos.shape[2])
    batches = np.array_split(videos, -(-len(videos) // _BATCH) or 1)
    return [decision for batch in batches for decision in _decide(batch, source)]


_BATCH = 64  # clips at a time, to bound memory


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
    course = centers - centers.mean(axis=1, keepdims=True)
    names = [source.colors[i] for i in np.argmin(_distances(color, table), axis=1)]
    decisions = []
    for i, best in enumerate(fits.argmax(axis=1)):
        shape, size, growth = bank.hypotheses[best]
        motions = [motion for motion in source.motions if bank.growth[motion] == growth]
        errors = [np.square(course[i] - bank.course[motion]).sum() for motion in motions]
        motion = motions[int(np.argmin(errors))]
        decisions.append(
            Decision(shape, names[i], motion, size, float(fits[i, best]), float(contrast[i]))
        )
    return decisions


def centers(videos: Clips, source: data.MovingShapes) -> Float[np.ndarray, "b f 2"]:
    """The centroid (x, y), in pixels, of all that differs from the background, of any color.

    Differences below an eighth of the clip's largest count as noise.
    """
    x = videos.astype(np.float32)
    far, peak = _differences(x, _nearest(_borders(x), _table(source, source.backgrounds)))
    return centroids(np.maximum(far - peak / 8, 0)) * videos.shape[3]


def _check_source(source: data.Source) -> data.MovingShapes:
    if not isinstance(source, data.MovingShapes):
        raise ValueError(
            f"the oracle needs MovingShapes, not {type(source).__name__}: evaluate this data with "
            "FrechetDistance or DenoisingError"
        )
    if source.objects != 1:
        raise ValueError(
            f"the oracle needs clips of one object, not MovingShapes(objects={source.objects})"
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
    """The median color of the outermost pixels, most of which are background."""
    edges = (x[:, :, 0], x[:, :, -1], x[:, :, :, 0], x[:, :, :, -1])
    return np.median(np.concatenate(edges, axis=2), axis=(1, 2))


def _foreground(
    x: Float[np.ndarray, "b f h w c"], background: Float[np.ndarray, "b c"]
) -> np.ndarray:
    """Pixels at least half as far from the background as the farthest fiftieth of the clip's."""
    far, peak = _differences(x, background)
    return far > peak / 2


def _differences(
    x: Float[np.ndarray, "b f h w c"], background: Float[np.ndarray, "b c"]
) -> tuple[Float[np.ndarray, "b f h w"], Float[np.ndarray, "b 1 1 1"]]:
    """Each pixel's color distance to the background, and the mean of the farthest fiftieth."""
    far = np.sqrt(np.square(x - background[:, None, None, None]).sum(axis=-1))
    ranked = np.sort(far.reshape(len(far), -1), axis=1)
    peak = ranked[:, -max(1, ranked.shape[1] // 50) :].mean(axis=1)
    return far, peak[:, None, None, None]


def _average(value: Float[np.ndarray, "b f h w"], where: np.ndarray) -> Float[np.ndarray, "b"]:
    return (value * where).sum((1, 2, 3)) / np.maximum(where.sum((1, 2, 3)), 1)
