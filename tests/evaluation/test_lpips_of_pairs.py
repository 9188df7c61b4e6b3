"""LPIPS of clips: the mean over frames of the network's distance."""

import numpy as np
import pytest

from vdm_jax import config, models
from vdm_jax.evaluation import Random
from vdm_jax.evaluation.lpips import LpipsOfPairs
from vdm_jax.evaluation.pretrained import Pretrained

RANDOM = np.random.default_rng(0)
UNTRAINED = LpipsOfPairs(
    "lpips_squeeze",
    Pretrained(models.SqueezeNet(), Random(1)),
    Pretrained(models.LpipsHeads(), Random(2)),
    batch=1,
)


def test_a_clip_is_the_mean_of_its_frames():
    """Clips of two frames, of which the first, the second or both are seen twice."""
    made, true = RANDOM.integers(0, 256, (2, 1, 2, 32, 32, 3), np.uint8)
    both, first, second = (
        (made[:, chosen], true[:, chosen]) for chosen in ([0, 1], [0, 0], [1, 1])
    )
    pairs = [np.concatenate(pair, axis=1) for pair in (both, first, second, (made, made))]
    whole, one, other, same = UNTRAINED(np.concatenate(pairs))[:, 0]
    assert whole == pytest.approx((one + other) / 2, rel=1e-5)
    assert one != other and min(one, other) > 0 and same == 0
    with pytest.raises(ValueError, match="3 frames have no halves"):
        UNTRAINED(np.zeros((1, 3, 32, 32, 3), np.uint8))


def test_names_say_the_trunk_the_version_and_the_weights():
    assert UNTRAINED.name == "lpips_squeeze_random_weights"
    assert LpipsOfPairs().name == "lpips_alex_0.1"
    assert LpipsOfPairs.vgg().heads.weights == "lpips_vgg_0.1"
    assert config.from_json(config.to_json(LpipsOfPairs.squeeze())) == LpipsOfPairs.squeeze()
