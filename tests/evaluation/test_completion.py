"""Completion evaluations of a model that returns the true clips, and of ones with one defect."""

from dataclasses import dataclass

import jax
import numpy as np
import pytest

from vdm_jax import diffusion
from vdm_jax.data import MovingShapes
from vdm_jax.evaluation import Extension, Interpolation, Prediction, Seam, centers
from vdm_jax.evaluation.completion import correction_title
from vdm_jax.evaluation.elements import evenly_spaced

SOURCE = MovingShapes(frames=8, size=16, held_out=64)
KEY = jax.random.key(0)


@dataclass(frozen=True)
class TrueModel:
    """A model that completes clips with the true ones, changed by `change`."""

    change: object = staticmethod(lambda videos, correction: videos)
    data: MovingShapes = SOURCE
    process = None

    def encode(self, captions, labels):
        return len(captions)

    def complete(self, key, cond, known, /, *, correction, known_noise):
        true = np.stack([e["video"] for e in evenly_spaced(self.data, "held_out", cond)])
        mask = np.asarray(known.mask).reshape(*known.mask.shape, 1, 1, 1)
        known_pixels = np.round((np.asarray(known.x) + 1) * 127.5).astype(np.uint8)
        np.testing.assert_array_equal(known_pixels * mask, true * mask)
        return np.where(mask, true, self.change(true, correction))

    def extend(self, key, cond, video, frames, overlap, /, *, correction, known_noise):
        times = -(-frames // video.shape[1])
        long = np.concatenate([video[:, :: (-1) ** i] for i in range(times)], axis=1)[:, :frames]
        return self.change(long, correction)


def test_true_clips_score_like_the_truth():
    result = Prediction(clips=32)(KEY, TrueModel())
    names = ("replacement", "ReconstructionGuidance 10")
    assert set(result) == {"truth", *names, *(f"{name}, no caption" for name in names)}
    for scores in result.values():
        assert scores == {"colour": 1.0, "direction": 1.0, "position": 0.0}


def test_a_static_clip_has_the_wrong_direction_only():
    def still(videos, correction):
        return videos[:, 3:4].repeat(8, axis=1) if correction is None else videos

    result = Prediction(clips=64)(KEY, TrueModel(still))
    moving = np.mean(["still" not in e["caption"] for e in evenly_spaced(SOURCE, "held_out", 64)])
    assert result["replacement"]["colour"] == 1
    assert result["replacement"]["direction"] == pytest.approx(1 - moving, abs=0.03)
    assert 0.3 < result["replacement"]["position"] < 1.5
    assert result["ReconstructionGuidance 10"]["direction"] == 1


def test_the_position_of_a_shifted_object_is_off_by_the_shift():
    result = Prediction(clips=64)(KEY, TrueModel(lambda v, _: np.roll(v, 1, axis=3)))["replacement"]
    assert result["position"] == pytest.approx(1, abs=0.1)  # some wrap around


def test_wrong_colors_are_detected():
    result = Interpolation(clips=32)(KEY, TrueModel(lambda v, _: v[..., [1, 2, 0]]))
    assert result["truth"]["colour"] == 1 and result["truth"]["between"] == 1
    assert result["truth"]["middle"] < 0.15, "motion is uniform"
    assert result["replacement"]["colour"] < 0.5
    assert result["replacement"]["middle"] < 0.2


def test_a_displaced_object_is_not_between_its_neighbors():
    result = Interpolation(clips=32)(KEY, TrueModel(lambda v, _: np.roll(v, 3, axis=2)))[
        "replacement"
    ]
    assert result["between"] < 0.2 and result["middle"] > 2  # some wrap around


def test_extension_scores_the_last_frames():
    result = Extension(clips=16, frames=32)(KEY, TrueModel())
    assert result["truth"] == {"colour": 1, "shape": 1, "size": 1, "clean": 1}
    assert result["replacement"] == {"colour": 1, "shape": 1, "size": 1, "clean": 1}

    def black_at_the_end(videos, correction):
        return np.concatenate([videos[:, :24], 0 * videos[:, 24:]], axis=1)

    assert (
        Extension(clips=16)(KEY, TrueModel(black_at_the_end))["ReconstructionGuidance 10"]["clean"]
        == 0
    )


def test_the_seam_is_the_step_into_the_new_frames():
    """White new frames: one large step, then none."""
    result = Seam(clips=16)(KEY, TrueModel(lambda v, _: np.full_like(v, 255)))
    true = np.stack([e["video"] for e in evenly_spaced(SOURCE, "held_out", 16)]).astype(float)
    assert result["replacement"]["seam"] == pytest.approx(255 - true[:, 3].mean())
    assert result["replacement"]["inside"] == 0
    steps = np.abs(np.diff(true, axis=1)).mean(axis=(0, 2, 3, 4))
    assert result["truth"]["seam"] == pytest.approx(steps[3])
    assert result["truth"]["error"] == 0


def test_centers_are_those_of_the_rendered_shapes():
    chosen = evenly_spaced(SOURCE, "held_out", 32)
    positions = centers(np.stack([e["video"] for e in chosen]), SOURCE)
    steps = np.diff(positions, axis=1)
    assert np.abs(steps - steps.mean(axis=1, keepdims=True)).max() < 0.35, "uniform motion"
    for clip, element in zip(steps.mean(axis=1), chosen, strict=True):
        motion = SOURCE.attributes(element["label"])[0].motion
        direction = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
        expected = np.array(direction.get(motion, (0, 0))) * 16 * 0.34 / 7
        assert np.abs(clip - expected).max() < 0.15


def test_corrections_have_titles():
    assert correction_title(None) == "replacement"
    assert correction_title(diffusion.ReconstructionGuidance(2.0)) == "ReconstructionGuidance 2"
    assert (
        correction_title(diffusion.PseudoInverseGuidance(3, 0.1)) == "PseudoInverseGuidance 3 0.1"
    )
    assert (
        correction_title(diffusion.ReconstructionGuidance(diffusion.WhiteDataWeight()))
        == "ReconstructionGuidance WhiteDataWeight"
    )


def test_data_other_than_moving_shapes_are_refused(unchecked):
    class Other:
        data = object()

    with pytest.raises(ValueError, match="needs MovingShapes, not object"):
        Prediction()(KEY, Other())
