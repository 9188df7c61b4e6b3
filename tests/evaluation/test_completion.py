"""Measures of completed clips: a subject that knows the truth, and ones that fail in one way."""

from dataclasses import dataclass

import jax
import numpy as np
import pytest

from vdm_jax import diffusion
from vdm_jax.data import MovingShapes
from vdm_jax.evaluation import Extension, Interpolation, Prediction, Seam, centers
from vdm_jax.evaluation.completion import title
from vdm_jax.evaluation.subject import evenly_spaced

SOURCE = MovingShapes(frames=8, size=16, held_out=64)
KEY = jax.random.key(0)


@dataclass(frozen=True)
class Knowing:
    """It completes clips with what they really are, as far as they are `seen` as asked for."""

    spoil: object = staticmethod(lambda videos, correction: videos)
    data: MovingShapes = SOURCE

    def encode(self, captions, labels):
        return len(captions)

    def complete(self, key, cond, known, /, *, correction, path):
        true = np.stack([e["video"] for e in evenly_spaced(self.data, "held_out", cond)])
        mask = np.asarray(known.mask).reshape(*known.mask.shape, 1, 1, 1)
        given = np.round((np.asarray(known.x) + 1) * 127.5).astype(np.uint8)
        np.testing.assert_array_equal(given * mask, true * mask)
        return np.where(mask, true, self.spoil(true, correction))

    def extend(self, key, cond, video, frames, overlap, /, *, correction, path):
        times = -(-frames // video.shape[1])
        long = np.concatenate([video[:, :: (-1) ** i] for i in range(times)], axis=1)[:, :frames]
        return self.spoil(long, correction)


def test_the_truth_scores_like_the_truth():
    found = Prediction(clips=32)(KEY, Knowing())
    assert set(found) == {
        "truth", "replacement", "replacement, no caption", "Gradient 10", "Gradient 10, no caption",
    }  # fmt: skip
    for scores in found.values():
        assert scores == {"colour": 1.0, "direction": 1.0, "position": 0.0}


def test_a_clip_that_stands_still_loses_its_direction_alone():
    def still(videos, correction):
        return videos[:, 3:4].repeat(8, axis=1) if correction is None else videos

    found = Prediction(clips=64)(KEY, Knowing(still))
    moving = np.mean(["still" not in e["caption"] for e in evenly_spaced(SOURCE, "held_out", 64)])
    assert found["replacement"]["colour"] == 1
    assert found["replacement"]["direction"] == pytest.approx(1 - moving, abs=0.03)
    assert 0.3 < found["replacement"]["position"] < 1.5
    assert found["Gradient 10"]["direction"] == 1


def test_a_shifted_object_is_off_by_its_shift():
    found = Prediction(clips=64)(KEY, Knowing(lambda v, _: np.roll(v, 1, axis=3)))["replacement"]
    assert found["position"] == pytest.approx(1, abs=0.1)  # some wrap round


def test_other_colors_are_noticed():
    found = Interpolation(clips=32)(KEY, Knowing(lambda v, _: v[..., [1, 2, 0]]))
    assert found["truth"]["colour"] == 1 and found["truth"]["between"] == 1
    assert found["truth"]["middle"] < 0.15, "motion is straight and steady"
    assert found["replacement"]["colour"] < 0.5
    assert found["replacement"]["middle"] < 0.2


def test_an_object_that_leaves_its_place_is_not_between_its_neighbours():
    found = Interpolation(clips=32)(KEY, Knowing(lambda v, _: np.roll(v, 3, axis=2)))["replacement"]
    assert found["between"] < 0.2 and found["middle"] > 2  # some wrap round


def test_extension_looks_at_the_last_frames():
    found = Extension(clips=16, frames=32)(KEY, Knowing())
    assert found["truth"] == {"colour": 1, "shape": 1, "size": 1, "clean": 1}
    assert found["replacement"] == {"colour": 1, "shape": 1, "size": 1, "clean": 1}

    def black_at_the_end(videos, correction):
        return np.concatenate([videos[:, :24], 0 * videos[:, 24:]], axis=1)

    assert Extension(clips=16)(KEY, Knowing(black_at_the_end))["Gradient 10"]["clean"] == 0


def test_the_seam_is_the_step_into_the_new_frames():
    """New frames that are all white: a large step, and then none."""
    found = Seam(clips=16)(KEY, Knowing(lambda v, _: np.full_like(v, 255)))
    true = np.stack([e["video"] for e in evenly_spaced(SOURCE, "held_out", 16)]).astype(float)
    assert found["replacement"]["seam"] == pytest.approx(255 - true[:, 3].mean())
    assert found["replacement"]["inside"] == 0
    steps = np.abs(np.diff(true, axis=1)).mean(axis=(0, 2, 3, 4))
    assert found["truth"]["seam"] == pytest.approx(steps[3])
    assert found["truth"]["error"] == 0


def test_centers_are_where_shapes_are_drawn():
    chosen = evenly_spaced(SOURCE, "held_out", 32)
    where = centers(np.stack([e["video"] for e in chosen]), SOURCE)
    steps = np.diff(where, axis=1)
    assert np.abs(steps - steps.mean(axis=1, keepdims=True)).max() < 0.35, "steady"
    for clip, element in zip(steps.mean(axis=1), chosen, strict=True):
        motion = SOURCE.attributes(element["label"])[0].motion
        direction = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
        expected = np.array(direction.get(motion, (0, 0))) * 16 * 0.34 / 7
        assert np.abs(clip - expected).max() < 0.15


def test_ways_of_conditioning_have_names():
    assert title(None) == "replacement"
    assert title(diffusion.ReconstructionGuidance(2.0)) == "Gradient 2"
    assert title(diffusion.PseudoInverseGuidance(3, 0.1)) == "PseudoInverse 3 0.1"
    assert (
        title(diffusion.ReconstructionGuidance(diffusion.WhiteDataWeight())) == "Gradient Matched"
    )


def test_other_data_have_no_shapes():
    class Other:
        data = object()

    with pytest.raises(ValueError, match="only MovingShapes can be measured like this, not object"):
        Prediction()(KEY, Other())
