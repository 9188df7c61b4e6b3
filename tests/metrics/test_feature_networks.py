"""Network features: independent of devices and batches; invalid input is named."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_features import Small, ones, small, videos

from vdm_jax import checkpoints, config, metrics
from vdm_jax.config import ConfigError
from vdm_jax.metrics import Images, Moments, SubtractMeanClip, frechet_distance


def test_eight_devices_equal_one(eight_devices):
    """With 19 clips, the last batch on eight devices is not full."""
    features, video = small(), videos(19)
    result = features(video)
    alone = features.on_devices(jax.devices()[:1])(video)
    assert result.shape == (19, 6) and result.dtype == np.float32
    np.testing.assert_allclose(result, alone, rtol=1e-5, atol=1e-6)
    shifted = Moments.of(features(videos(19, seed=1)))
    distances = [frechet_distance(Moments.of(x), shifted) for x in (result, alone)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-4)


def test_the_batch_size_does_not_matter():
    video = videos(11)
    whole, parts = small()(video), small(batch=2)(video)
    each = np.concatenate([small()(video[i : i + 1]) for i in range(11)])
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(each, whole, rtol=1e-5, atol=1e-6)


def test_the_network_input_is_the_clips_after_the_steps():
    features, video = small(), videos(3)
    x = jnp.asarray(video, jnp.float32)
    for step in features.pixels:
        x = step(x)
    params = features.parameters(video.shape[1:])
    expected = Small().apply({"params": params}, x)
    np.testing.assert_allclose(features(video), expected.pooled, rtol=1e-5, atol=1e-6)
    logits = dataclasses.replace(features, output="logits")(video)
    np.testing.assert_allclose(logits, expected.logits, rtol=1e-5, atol=1e-6)


def test_matrix_products_are_float32_on_every_device():
    lowered = jax.jit(small().forward).lower(small().parameters((4, 8, 8, 3)), videos(2))
    products = [
        line
        for line in lowered.as_text().splitlines()
        if "stablehlo.dot_general" in line or "stablehlo.convolution" in line
    ]
    assert len(products) == 3  # both axes of the resize, and the network
    assert all("HIGHEST" in line and "DEFAULT" not in line for line in products)


def test_images_give_one_vector_per_frame():
    features = small(pixels=(*small().pixels, Images()))
    video = videos(3)
    result = features(video)
    assert result.shape == (3 * 4, 6)
    np.testing.assert_allclose(result[4:8], features(video[1:2]), rtol=1e-5, atol=1e-6)


def test_random_weights_are_named_and_depend_on_the_seed():
    features = small()
    assert features.random_weights and features.name == "small_random_weights"
    trained = small(weights="i3d", pixels=(SubtractMeanClip("mean2.npz"),))
    assert not trained.random_weights and trained.name == "small"
    video = videos(2)
    other = features.untrained(4)
    assert np.abs(features(video) - other(video)).max() > 1e-3
    np.testing.assert_array_equal(trained.untrained(4)(video), trained.untrained(4)(video))


def test_random_weights_preserve_the_scale():
    """Through sixteen layers with ReLU, a factor of 2 per layer would show."""
    shapes = {f"layer {i}": {"kernel": jax.ShapeDtypeStruct((256, 256), float)} for i in range(16)}
    norm = {name: jax.ShapeDtypeStruct((3,), float) for name in ("scale", "variance", "mean")}
    drawn = metrics.RandomWeights(1).like({**shapes, "norm": norm})
    assert {name: x.tolist() for name, x in drawn["norm"].items()} == {
        "scale": [1, 1, 1], "variance": [1, 1, 1], "mean": [0, 0, 0]}  # fmt: skip
    x = np.random.default_rng(0).normal(size=(64, 256))
    for i in range(16):
        x = np.maximum(x @ drawn[f"layer {i}"]["kernel"], 0)
    assert 0.5 < np.square(x).mean() / 0.5 < 2
    assert not np.array_equal(drawn["layer 0"]["kernel"], drawn["layer 1"]["kernel"])
    again = metrics.RandomWeights(1).like({"layer 3": shapes["layer 3"]})
    np.testing.assert_array_equal(again["layer 3"]["kernel"], drawn["layer 3"]["kernel"])


def test_invalid_clips_outputs_and_weights_are_named(unchecked):
    features = small(min_frames=9, max_frames=16)
    with pytest.raises(ValueError, match="small needs clips of at least 9 frames, not 8"):
        features(videos(1, frames=8))
    with pytest.raises(ValueError, match="at most 16 frames, not 17"):
        features(videos(1, frames=17))
    with pytest.raises(ValueError, match="uint8 clips, not float32: quantize"):
        small()(ones(2))
    with pytest.raises(ValueError, match="all of one length"):
        small()([videos(1)[0], videos(1, frames=5)[0]])
    with pytest.raises(ValueError, match="needs at least one clip"):
        small()(videos(2)[:0])
    with pytest.raises(ConfigError, match="no output 'pool'; did you mean 'pooled'"):
        small(output="pool")(videos(1))
    with pytest.raises(ConfigError, match="no output None; known: pooled, logits"):
        small(output=None)(videos(1))
    with pytest.raises(
        checkpoints.CheckpointError, match="neither a name of published weights nor a file"
    ):
        small(weights="no such thing")(videos(1))


def test_without_steps_the_input_is_the_clips_themselves():
    params = small().parameters((4, 8, 8, 3))
    expected = Small().apply({"params": params}, ones(2)).pooled
    np.testing.assert_allclose(small(pixels=())(ones(2)), expected, rtol=1e-5, atol=1e-6)


def test_features_round_trip_through_json():
    features = small(network=None, weights=metrics.RandomWeights(1))
    assert config.from_json(config.to_json(features)) == features
