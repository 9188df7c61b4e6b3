"""CLIPSIM and R-precision: their known answers, and CLIP's pixels."""

import jax
import numpy as np
import pytest
from PIL import Image

from vdm_jax import data, models
from vdm_jax.evaluation import Random
from vdm_jax.evaluation.clipsim import (
    CaptionVectors,
    clip_frames,
    clipsim,
    directions,
    r_precision,
)
from vdm_jax.evaluation.pretrained import Pretrained

RANDOM = np.random.default_rng(0)


def test_equal_vectors_fit_and_orthogonal_ones_do_not():
    vectors = RANDOM.normal(size=(5, 8))
    frames = np.repeat(vectors[:, None], 3, axis=1) * RANDOM.uniform(0.1, 9, (5, 3, 1))
    np.testing.assert_allclose(clipsim(directions(frames), vectors), 1)
    np.testing.assert_allclose(clipsim(directions(-frames), vectors), -1)  # nothing is clipped
    axes = np.eye(8)
    np.testing.assert_allclose(
        clipsim(directions(np.repeat(axes[:5, None], 3, axis=1)), axes[3:]), 0
    )


def test_frames_are_averaged_as_cosines():
    """One frame that fits, one that is orthogonal and ten times as long: 1/2."""
    clips = directions(np.array([[[1.0, 0.0], [0.0, 10.0]]]))
    np.testing.assert_allclose(clipsim(clips, np.array([[2.0, 0.0]])), 0.5)
    with pytest.raises(ValueError, match="1 clips need as many captions, not 2"):
        clipsim(clips, np.ones((2, 2)))


def test_r_precision_of_chance_and_of_certainty():
    clips, captions = RANDOM.normal(size=(2, 2000, 16))
    found = r_precision(clips, captions, candidates=20)
    assert abs(found.mean() - 1 / 20) < 4 * np.sqrt(0.05 * 0.95 / 2000)
    assert r_precision(directions(captions[:50, None]), captions[:50]).mean() == 1
    same = np.ones((12, 4))
    np.testing.assert_allclose(r_precision(same, same), 1 / 12)
    np.testing.assert_allclose(r_precision(same, same, candidates=3), 1 / 3)
    with pytest.raises(ValueError, match="among 100 captions"):
        r_precision(same, same, candidates=100)


def test_frames_are_seen_as_pil_makes_them():
    """Shorter side of 224 bicubic, torchvision's centre crop, CLIP's normalisation."""
    frames = RANDOM.integers(0, 256, (1, 2, 120, 161, 3), np.uint8)
    features = clip_frames()
    x = jax.numpy.asarray(frames, jax.numpy.float32)
    for step in features.pixels:
        x = step(x)
    mean, std = (np.array(v) for v in ((0.48145466, 0.4578275, 0.40821073),
                                       (0.26862954, 0.26130258, 0.27577711)))  # fmt: skip
    for ours, frame in zip(np.asarray(x), frames[0], strict=True):
        picture = Image.fromarray(frame)
        picture = picture.resize((int(224 * 161 / 120), 224), Image.Resampling.BICUBIC)
        left = round((picture.width - 224) / 2)
        pixels = np.asarray(picture)[:, left : left + 224] / 255
        np.testing.assert_allclose(ours, (pixels - mean) / std, atol=1e-5)


@pytest.fixture(scope="module")
def vectors(real_clips):
    text = data.ClipBPE(str(real_clips.parent / "tokenizers" / "bpe_simple_vocab_16e6.txt.gz"))
    network = models.ClipText(16, 1, 2, projection=8)
    return CaptionVectors(text, Pretrained(network, Random(0)), batch=2)


def test_captions_are_vectors_whatever_their_batch(vectors):
    captions = ["a dog runs", "", "way too long " * 60]
    found = vectors(captions)
    assert found.shape == (3, 8) and np.isfinite(found).all()
    alone = np.concatenate([vectors([caption]) for caption in captions])
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-6)
    assert vectors.encoder.name == "ClipText_random_weights"
