"""Every published combination of network, weights and preprocessing fits together."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import config
from vdm_jax.checkpoints import PUBLISHED
from vdm_jax.metrics import NetworkFeatures, presets
from vdm_jax.metrics.networks import network_input
from vdm_jax.metrics.presets import FVD

NETWORKS = {
    name: value for name, value in vars(presets).items() if isinstance(value, NetworkFeatures)
}


@pytest.mark.parametrize("name", NETWORKS)
def test_preprocessed_clips_have_the_published_input_shape(name):
    features = NETWORKS[name].untrained()
    clips = jax.ShapeDtypeStruct((2, 16, 96, 128, 3), jnp.uint8)
    x = jax.eval_shape(partial(network_input, steps=features.pixels), clips)
    published = PUBLISHED[NETWORKS[name].weights]
    assert published.network == features.network
    assert (x.shape[-3:], x.dtype) == (published.inputs[0][-3:], jnp.float32)
    assert len(x.shape) == len(published.inputs[0])


@pytest.mark.parametrize(
    "features, width",
    [(presets.I3D, 400), (presets.C3D_TGAN, 101), (presets.C3D_FC7, 4096)],
    ids=lambda value: getattr(value, "title", value),
)
def test_features_have_the_published_width(features, width):
    params = PUBLISHED[features.weights].abstract_params()
    clips = jax.ShapeDtypeStruct((2, 16, 64, 64, 3), jnp.uint8)
    result = jax.eval_shape(features.untrained().forward, params, clips)
    assert result.shape == (2, width)


def test_presets_have_unique_names_and_round_trip_through_json():
    assert list(FVD) == [
        *("fvd_tf", "fvd_magvit_10k", "fvd_sgv_2048_16f"),
        *("fvd_tats_2048", "fvd_videogpt_256", "fvd_cd"),
    ]
    for features in NETWORKS.values():
        assert config.from_json(config.to_json(features)) == features
    assert len({f.name for f in NETWORKS.values()}) == len(NETWORKS)


@pytest.mark.parametrize(
    ("name", "epsilon", "ddof", "real", "generated", "repeats"),
    [
        ("fvd_tf", 1e-3, 1, None, None, 1),
        ("fvd_magvit_10k", 1e-3, 1, None, 10_000, 4),
        ("fvd_sgv_2048_16f", 1e-3, 0, 2048, 2048, 1),
        ("fvd_tats_2048", 1e-5, 1, 2048, 2048, 1),
        ("fvd_videogpt_256", 1e-5, 1, 256, 256, 1),
    ],
)
def test_presets_have_the_settings_of_their_code(name, epsilon, ddof, real, generated, repeats):
    """The ports use PyTorch's epsilon of batch norm; TensorFlow's network has 1e-3."""
    preset = FVD[name]
    assert preset.features.network.norm.epsilon == epsilon
    assert (preset.ddof, preset.real, preset.generated, preset.repeats) == (
        ddof, real, generated, repeats)  # fmt: skip


def inputs(features: NetworkFeatures, video: np.ndarray) -> np.ndarray:
    return np.asarray(network_input(jnp.asarray(video), features.pixels))


def test_i3d_inputs_of_a_square_clip_agree_except_for_the_legacy_resize():
    video = np.random.default_rng(0).integers(0, 256, (1, 9, 64, 64, 3), dtype=np.uint8)
    x = [inputs(f, video) for f in (presets.I3D, presets.I3D_TORCHSCRIPT, presets.I3D_CROPPED)]
    for one in x:
        assert one.shape == (1, 9, 224, 224, 3)
        assert one.min() >= -1 - 1e-5 and one.max() <= 1 + 1e-5
    assert np.abs(x[1] - x[2]).max() < 1e-5
    assert np.abs(x[0] - x[1]).max() > 0.1


def test_only_videogpt_crops():
    video = np.zeros((1, 9, 48, 96, 3), np.uint8)
    video[:, :, :, 24:72] = 255
    assert inputs(presets.I3D_CROPPED, video)[..., 8:-8, :].min() > 0.99
    assert inputs(presets.I3D_PORTED, video)[:, :, :, :40].max() < -0.99


def test_the_c3d_input_is_bgr_minus_the_mean_clip(tmp_path):
    mean = np.zeros((3, 16, 128, 171), np.float32)
    mean[0] = 100.0  # blue
    np.savez(tmp_path / "mean2.npz", mean=mean)
    video = np.zeros((1, 16, 64, 64, 3), np.uint8)
    video[..., 2] = 255
    for features, white in ((presets.C3D_TGAN, 256), (presets.C3D_MAGVIT, 255)):
        steps = tuple(
            dataclasses.replace(s, file=str(tmp_path / "mean2.npz")) if hasattr(s, "file") else s
            for s in features.pixels
        )
        x = inputs(dataclasses.replace(features, pixels=steps), video)
        assert x.shape == (1, 16, 112, 112, 3)
        np.testing.assert_allclose(x[0, 0, 0, 0], [white - 100, 0, 0], atol=1e-3)


def test_i3d_needs_nine_frames():
    video = np.zeros((2, 9, 16, 16, 3), np.uint8)
    assert presets.I3D.checked(video) is video
    with pytest.raises(ValueError, match="i3d needs clips of at least 9 frames, not 8"):
        presets.I3D(video[:, :8])
