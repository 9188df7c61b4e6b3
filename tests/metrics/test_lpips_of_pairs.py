"""LPIPS of clips: the mean over frames of the frames' distances."""

import numpy as np
import pytest

from vdm_jax import config, models
from vdm_jax.metrics import RandomWeights
from vdm_jax.metrics.lpips import LpipsOfPairs
from vdm_jax.metrics.pretrained import Pretrained

RANDOM = np.random.default_rng(0)
UNTRAINED = LpipsOfPairs(
    "lpips_squeeze",
    Pretrained(models.SqueezeNet(), RandomWeights(1)),
    Pretrained(models.LpipsHeads(), RandomWeights(2)),
    batch=1,
)


def test_a_clip_scores_the_mean_of_its_frames():
    """Clips of two frames, and the same clips with one frame repeated."""
    generated, true = RANDOM.integers(0, 256, (2, 1, 2, 32, 32, 3), np.uint8)
    both, first, second = (
        (generated[:, frames], true[:, frames]) for frames in ([0, 1], [0, 0], [1, 1])
    )
    pairs = [np.concatenate(pair, axis=1) for pair in (both, first, second, (generated, generated))]
    whole, one, other, same = UNTRAINED(np.concatenate(pairs))[:, 0]
    assert whole == pytest.approx((one + other) / 2, rel=1e-5)
    assert one != other and min(one, other) > 0 and same == 0
    with pytest.raises(ValueError, match="3 frames have no halves"):
        UNTRAINED(np.zeros((1, 3, 32, 32, 3), np.uint8))


def test_names_include_trunk_version_and_random_weights():
    assert UNTRAINED.name == "lpips_squeeze_random_weights"
    assert LpipsOfPairs().name == "lpips_alex_0.1"
    assert LpipsOfPairs.vgg().heads.weights == "lpips_vgg_0.1"
    assert config.from_json(config.to_json(LpipsOfPairs.squeeze())) == LpipsOfPairs.squeeze()
