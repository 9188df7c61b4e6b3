"""CLIPSIM and R-precision: known answers and CLIP's preprocessing."""

import jax
import numpy as np
import pytest
from PIL import Image

from vdm_jax import data, models
from vdm_jax.metrics import RandomWeights
from vdm_jax.metrics.clipsim import (
    CaptionVectors,
    clip_directions,
    clip_frames,
    clipsim,
    r_precision,
)
from vdm_jax.metrics.pretrained import Pretrained

RANDOM = np.random.default_rng(0)


def test_equal_vectors_score_1_and_orthogonal_ones_0():
    vectors = RANDOM.normal(size=(5, 8))
    frames = np.repeat(vectors[:, None], 3, axis=1) * RANDOM.uniform(0.1, 9, (5, 3, 1))
    np.testing.assert_allclose(clipsim(clip_directions(frames), vectors), 1)
    np.testing.assert_allclose(clipsim(clip_directions(-frames), vectors), -1)  # not clipped
    axes = np.eye(8)
    np.testing.assert_allclose(
        clipsim(clip_directions(np.repeat(axes[:5, None], 3, axis=1)), axes[3:]), 0
    )


def test_frames_are_averaged_as_cosines():
    """One parallel frame and one orthogonal frame that is ten times as long: 1/2."""
    clips = clip_directions(np.array([[[1.0, 0.0], [0.0, 10.0]]]))
    np.testing.assert_allclose(clipsim(clips, np.array([[2.0, 0.0]])), 0.5)
    with pytest.raises(ValueError, match="1 clips need one caption each, not 2"):
        clipsim(clips, np.ones((2, 2)))


def test_r_precision_at_chance_level_and_of_perfect_matches():
    clips, captions = RANDOM.normal(size=(2, 2000, 16))
    result = r_precision(clips, captions, candidates=20)
    assert abs(result.mean() - 1 / 20) < 4 * np.sqrt(0.05 * 0.95 / 2000)
    assert r_precision(clip_directions(captions[:50, None]), captions[:50]).mean() == 1
    same = np.ones((12, 4))
    np.testing.assert_allclose(r_precision(same, same), 1 / 12)
    np.testing.assert_allclose(r_precision(same, same, candidates=3), 1 / 3)
    with pytest.raises(ValueError, match="among 100 candidates"):
        r_precision(same, same, candidates=100)


def test_preprocessing_equals_pil():
    """Shorter side of 224 bicubic, torchvision's center crop, CLIP's normalization."""
    frames = RANDOM.integers(0, 256, (1, 2, 120, 161, 3), np.uint8)
    features = clip_frames()
    x = jax.numpy.asarray(frames, jax.numpy.float32)
    for step in features.pixels:
        x = step(x)
    mean, std = (np.array(v) for v in ((0.48145466, 0.4578275, 0.40821073),
                                       (0.26862954, 0.26130258, 0.27577711)))  # fmt: skip
    for ours, frame in zip(np.asarray(x), frames[0], strict=True):
        image = Image.fromarray(frame)
        image = image.resize((int(224 * 161 / 120), 224), Image.Resampling.BICUBIC)
        left = round((image.width - 224) / 2)
        pixels = np.asarray(image)[:, left : left + 224] / 255
        np.testing.assert_allclose(ours, (pixels - mean) / std, atol=1e-5)


@pytest.fixture(scope="module")
def vectors(real_clips):
    text = data.ClipBPE(str(real_clips.parent / "tokenizers" / "bpe_simple_vocab_16e6.txt.gz"))
    network = models.ClipText(16, 1, 2, projection=8)
    return CaptionVectors(text, Pretrained(network, RandomWeights(0)), batch=2)


def test_caption_vectors_do_not_depend_on_the_batch(vectors):
    captions = ["a dog runs", "", "way too long " * 60]
    result = vectors(captions)
    assert result.shape == (3, 8) and np.isfinite(result).all()
    alone = np.concatenate([vectors([caption]) for caption in captions])
    np.testing.assert_allclose(result, alone, rtol=1e-5, atol=1e-6)
    assert vectors.encoder.name == "ClipText_random_weights"
