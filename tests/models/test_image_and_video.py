"""A video network is an image network with layers that mix frames, and nothing else does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import ROUNDING, normal, parameters

from vdm_jax.models import Level, UNet
from vdm_jax.nn import Embedding, SpatialAttention, TemporalAttention

B, F = 2, 4
z, logsnr = normal(B, F, 4, 4, 3), jnp.array([-2.0, 3.0])
space, time = SpatialAttention(head_dim=4), TemporalAttention(head_dim=4)


def unet(*mixers) -> UNet:
    levels = (Level(1, mixers, blocks=1), Level(2, mixers, blocks=1))
    return UNet(channels=8, levels=levels, embedding=Embedding(width=8, layers=1))


image, video = unet(space), unet(space, time)
apply_image, apply_video = jax.jit(image.apply), jax.jit(video.apply)


@pytest.fixture(scope="module")
def variables():
    return parameters(video, z, logsnr)


def without_time(tree, silenced):
    """The parameters of the image network; or, silenced, temporal layers that say zero."""
    kept = {}
    for name, branch in tree.items():
        if name.startswith("TemporalAttention"):
            if silenced:
                kept[name] = branch | {"out": jax.tree.map(jnp.zeros_like, branch["out"])}
        else:
            kept[name] = without_time(branch, silenced) if isinstance(branch, dict) else branch
    return kept


def test_a_video_network_starts_as_its_image_network(variables):
    silent = apply_video(without_time(variables, silenced=True), z, logsnr)
    by_frame = apply_image(without_time(variables, silenced=False), z, logsnr)
    np.testing.assert_array_equal(silent, by_frame)
    assert float(abs(apply_video(variables, z, logsnr) - by_frame).max()) > 0.1


def test_an_image_is_a_clip_of_one_frame(variables):
    variables = without_time(variables, silenced=False)
    frames = z.reshape(B * F, 1, 4, 4, 3)
    alone = apply_image(variables, frames, jnp.repeat(logsnr, F)).reshape(z.shape)
    np.testing.assert_allclose(apply_image(variables, z, logsnr), alone, atol=ROUNDING)


def test_only_temporal_layers_mix_frames(variables):
    def reads(network, variables):
        """Which frames change when the first one does."""

        @jax.jit
        def change(scale):
            first = jnp.arange(F).reshape(1, F, 1, 1, 1) == 0
            return network.apply(variables, jnp.where(first, scale * z, z), logsnr)

        difference = abs(change(1.0) - change(-1.0)).max(axis=(0, 2, 3, 4))
        return list(np.asarray(difference > 0))

    assert reads(image, without_time(variables, silenced=False)) == [True] + [False] * (F - 1)
    assert reads(video, variables) == [True] * F


def test_an_image_network_does_not_know_the_order_of_frames(variables):
    variables, order = without_time(variables, silenced=False), np.array([2, 0, 3, 1])
    permuted = apply_image(variables, z[:, order], logsnr)
    np.testing.assert_allclose(apply_image(variables, z, logsnr)[:, order], permuted, atol=ROUNDING)


def test_a_static_clip_stays_static(variables):
    out = apply_video(variables, jnp.broadcast_to(z[:, :1], z.shape), logsnr)
    np.testing.assert_allclose(out, jnp.broadcast_to(out[:, :1], out.shape), atol=ROUNDING)


def test_one_log_snr_serves_all_frames(variables):
    frames = jnp.repeat(logsnr[:, None], F, axis=1)
    out = apply_video(variables, z, frames)
    np.testing.assert_allclose(out, apply_video(variables, z, logsnr), atol=ROUNDING)
    changed = apply_image(without_time(variables, silenced=False), z, frames.at[:, 1].add(5.0))
    same = apply_image(without_time(variables, silenced=False), z, frames)
    differs = np.asarray(abs(changed - same).max(axis=(2, 3, 4)) > 0)
    np.testing.assert_array_equal(differs, [[False, True, False, False]] * B)
