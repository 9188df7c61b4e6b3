"""The temporal warping error: known answers, occlusions, and RAFT's flow."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import config, models
from vdm_jax.metrics import RandomWeights
from vdm_jax.metrics.flows import RaftFlow, ZeroFlow, bilinear_sample, target_positions
from vdm_jax.metrics.networks import batched
from vdm_jax.metrics.pretrained import Pretrained
from vdm_jax.metrics.warping import (
    GuidedWarpingError,
    WarpingError,
    motion_magnitude,
    visibility_mask,
    warping_error,
)

RANDOM = np.random.default_rng(0)
error_of, mask_of = jax.jit(warping_error), jax.jit(visibility_mask)


def constant(b, f, h, w, x, y):
    flow = np.broadcast_to(np.array([x, y], np.float32), (b, f, h, w, 2))
    return jnp.asarray(flow), jnp.asarray(-flow)


def sliding(frames, size, x, y):
    """A window sliding over noise: every pixel moves by (x, y) per frame."""
    wide = RANDOM.uniform(size=(size + 64, size + 64, 3)).astype(np.float32)
    return np.stack(
        [wide[32 - i * y : 32 - i * y + size, 32 - i * x : 32 - i * x + size]
         for i in range(frames)]
    )[None]  # fmt: skip


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 0), (-2, 4)])
def test_a_translation_by_whole_pixels_has_no_error_under_its_flow(x, y):
    video = jnp.asarray(sliding(4, 24, x, y))
    forward, backward = constant(1, 3, 24, 24, x, y)
    assert float(error_of(video, forward, backward)[0]) == 0
    np.testing.assert_allclose(motion_magnitude(forward), np.hypot(x, y), rtol=1e-5)
    if x or y:
        assert float(error_of(video, *constant(1, 3, 24, 24, 0, 0))[0]) > 0.1


def test_noise_without_flow_scores_twice_its_variance():
    """The error is averaged over channels: twice, not six times."""
    video = jnp.asarray(RANDOM.normal(size=(1, 4, 96, 96, 3)), jnp.float32)
    result = error_of(video, *constant(1, 3, 96, 96, 0, 0))
    np.testing.assert_allclose(result, 2.0, rtol=0.03)


def test_a_static_video_scores_zero():
    video = np.repeat(RANDOM.integers(0, 256, (3, 1, 16, 16, 3), np.uint8), 4, axis=1)
    result = WarpingError(ZeroFlow())(video)
    np.testing.assert_array_equal(result, [[0, 0, 1]] * 3)


def test_pixels_are_averaged_before_frames():
    """A difference of 0.1 and one of 0.3 in all pixels: (0.01 + 0.09) / 2."""
    levels = np.array([0.0, 0.1, 0.4], np.float32).reshape(1, 3, 1, 1, 1)
    video = jnp.asarray(np.broadcast_to(levels, (1, 3, 8, 8, 3)))
    result = error_of(video, *constant(1, 2, 8, 8, 0, 0))
    np.testing.assert_allclose(result, 0.05, rtol=1e-5)


def test_pixels_that_leave_the_frame_do_not_count():
    forward, backward = constant(1, 1, 8, 8, 3, 0)
    visible = np.asarray(mask_of(forward[0], backward[0]))[0]
    np.testing.assert_array_equal(visible, np.tile(np.arange(8) < 5, (8, 1)))


def test_occluded_pixels_do_not_count():
    """Half of the frame moves over the other; the backward flow is that of the moving half."""
    forward, backward = (np.zeros((1, 16, 16, 2), np.float32) for _ in range(2))
    forward[:, :, :8, 0], backward[:, :, 4:12, 0] = 4, -4
    visible = np.asarray(mask_of(forward, backward))[0, 8]
    assert not visible[8:12].any()  # occluded
    assert visible[:7].all() and visible[13:].all()
    assert not visible[7]  # the motion boundary


def test_sampling_between_pixels_is_linear():
    y, x = np.mgrid[:6, :7].astype(np.float32)
    ramp = jnp.asarray((2 * x + 3 * y)[None, :, :, None])
    flow = jnp.asarray(RANDOM.uniform(-0.9, 0.9, (1, 6, 7, 2)), jnp.float32)
    positions = np.clip(np.asarray(target_positions(flow)), 0, (6, 5))
    expected = 2 * positions[..., 0] + 3 * positions[..., 1]
    np.testing.assert_allclose(
        bilinear_sample(ramp, target_positions(flow))[..., 0], expected, rtol=1e-5
    )


def test_a_video_without_visible_pixels_scores_nan():
    video = jnp.zeros((1, 2, 8, 8, 3))
    assert np.isnan(error_of(video, *constant(1, 1, 8, 8, 20, 0))[0])
    with pytest.raises(ValueError, match="at least 2 frames"):
        warping_error(video[:, :1], *constant(1, 1, 8, 8, 0, 0))


@dataclass(frozen=True)
class Leaving:
    """A flow by which every pixel leaves the frame."""

    name = "leaving"

    def parameters(self, size):
        return {}

    def __call__(self, params, first, second):
        return jnp.full((*first.shape[:3], 2), 20.0)


def test_a_clip_without_visible_pixels_is_marked():
    result = WarpingError(Leaving())(np.zeros((2, 3, 8, 8, 3), np.uint8))
    np.testing.assert_allclose(result, [[0, np.hypot(20, 20), 0]] * 2, rtol=1e-6)


@dataclass(frozen=True)
class Brightening:
    """A flow to the right by the increase in brightness."""

    name = "brightening"

    def parameters(self, size):
        return {}

    def __call__(self, params, first, second):
        right = jnp.round((second - first).mean(axis=3))
        return jnp.stack([right, jnp.zeros_like(right)], axis=-1)


def test_the_flow_is_that_of_the_clip_or_of_the_true_video(eight_devices):
    level = np.array([10, 12, 15], np.uint8).reshape(1, 3, 1, 1, 1)
    true = np.broadcast_to(level, (1, 3, 16, 16, 3))
    generated = np.rint(sliding(3, 16, 2, 0) * 255).astype(np.uint8)
    generated[:, 2] = np.roll(generated[:, 1], 3, axis=2)
    ((error, motion, _),) = GuidedWarpingError(Brightening())(
        np.concatenate([generated, true], axis=1)
    )
    assert (error, motion) == (0, pytest.approx(2.5))
    ((own, moved, visible),) = WarpingError(Brightening())(true)
    assert moved == pytest.approx(2.5)  # brightness changes by 2 and by 3 of 255
    assert own == pytest.approx((2**2 + 3**2) / 2 / 255**2, rel=1e-4)
    alone = batched(WarpingError(Brightening()), tuple(jax.devices()[:1]))(true)
    np.testing.assert_allclose(alone, [[own, moved, visible]], rtol=1e-6)
    with pytest.raises(ValueError, match="3 frames have no halves"):
        GuidedWarpingError(Brightening())(generated)


def test_raft_takes_frames_of_any_size():
    """Frames of 18 x 21 pixels are edge-padded to 24 x 24, equally on all sides."""
    raft = models.Raft.small().clone(iterations=1, levels=1)
    flow = RaftFlow(Pretrained(raft, RandomWeights(0)))
    pair = jnp.asarray(RANDOM.uniform(0, 255, (2, 1, 18, 21, 3)), jnp.float32)
    params = flow.parameters((18, 21))
    padded = jnp.pad(pair / 127.5 - 1, ((0, 0), (0, 0), (3, 3), (1, 2), (0, 0)), mode="edge")
    result, whole = jax.jit(lambda p: (flow(p, *pair), raft.apply({"params": p}, *padded)))(params)
    assert result.shape == (1, 18, 21, 2)
    largest = np.abs(whole).max()
    np.testing.assert_allclose(result / largest, whole[:, 3:21, 1:22] / largest, atol=1e-5)


def test_names_include_the_flow_and_its_weights():
    assert WarpingError().name == "warping_error_raft_things"
    assert WarpingError(RaftFlow.small()).name == "warping_error_raft_small"
    file = Pretrained(models.Raft.small(), "~/weights/raft-small.pth")
    assert WarpingError(RaftFlow(file)).name == "warping_error_raft-small.pth"
    untrained = dataclasses.replace(RaftFlow.small(), raft=RaftFlow.small().raft.untrained(3))
    assert untrained.raft.weights == RandomWeights(3)
    untrained = WarpingError(untrained)
    assert untrained.name == "warping_error_Raft_random_weights"
    assert config.from_json(config.to_json(untrained)) == untrained
