"""The Frechet distance of a model's samples to held-out clips, and its floor."""

import jax
import numpy as np

from vdm_jax import data
from vdm_jax.evaluation import FrechetDistance
from vdm_jax.metrics import PixelFeatures


class Copier:
    """A model that generates the held-out clips at half brightness, plus `shift`."""

    process, data = None, data.MovingShapes(held_out=40, examples=40)

    def __init__(self, shift: int = 0):
        self.shift = shift

    def encode(self, captions, labels):
        return list(labels)

    def generate(self, key, cond, count):
        clips = self.data.clips("held_out")
        return np.stack([clips[i]["video"] // 2 + self.shift for i in range(count)])


def test_the_distance_to_held_out_clips_is_above_the_floor():
    evaluation = FrechetDistance(PixelFeatures(frames=2, size=2), clips=40)
    assert evaluation.name == "frechet_pixels"
    dark, light = (evaluation(jax.random.key(0), Copier(shift)) for shift in (0, 51))
    features = 2 * 2 * 2 * 3
    assert dark["clips"] == 40
    assert 0 < dark["floor"] == light["floor"] < dark["distance"]
    means = [evaluation.moments(Copier(shift).generate(None, None, 40)).mean for shift in (0, 51)]
    np.testing.assert_allclose(means[1] - means[0], np.full(features, 0.4), rtol=1e-6)


def test_the_held_out_clips_themselves_have_distance_zero():
    class Same(Copier):
        def generate(self, key, cond, count):
            return np.stack([self.data.clips("held_out")[i]["video"] for i in range(count)])

    evaluation = FrechetDistance(PixelFeatures(frames=2, size=2), clips=40)
    assert abs(evaluation(jax.random.key(0), Same())["distance"]) < 1e-6


def test_the_batch_size_does_not_matter():
    evaluation = FrechetDistance(PixelFeatures(frames=2, size=2))
    videos = Copier().generate(None, None, 40)
    whole, batched = evaluation.moments(videos, batch=40), evaluation.moments(videos, batch=7)
    tolerance = np.finfo(np.float32).eps  # features are float32 in [-1, 1]
    np.testing.assert_allclose(whole.covariance(), batched.covariance(), atol=tolerance)
