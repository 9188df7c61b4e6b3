"""Only temporal layers mix frames; without them a video network is the image network."""

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


def without_time(tree, zeroed):
    """The parameters of the image network or, zeroed, those with zero temporal layers."""
    params = {}
    for name, branch in tree.items():
        if name.startswith("TemporalAttention"):
            if zeroed:
                params[name] = branch | {"out": jax.tree.map(jnp.zeros_like, branch["out"])}
        else:
            params[name] = without_time(branch, zeroed) if isinstance(branch, dict) else branch
    return params


def test_zero_temporal_layers_give_the_image_network(variables):
    zeroed_output = apply_video(without_time(variables, zeroed=True), z, logsnr)
    by_frame = apply_image(without_time(variables, zeroed=False), z, logsnr)
    np.testing.assert_array_equal(zeroed_output, by_frame)
    assert float(abs(apply_video(variables, z, logsnr) - by_frame).max()) > 0.1


def test_an_image_is_a_clip_of_one_frame(variables):
    variables = without_time(variables, zeroed=False)
    frames = z.reshape(B * F, 1, 4, 4, 3)
    alone = apply_image(variables, frames, jnp.repeat(logsnr, F)).reshape(z.shape)
    np.testing.assert_allclose(apply_image(variables, z, logsnr), alone, atol=ROUNDING)


def test_only_temporal_layers_mix_frames(variables):
    def affected_frames(network, variables):
        """Which frames of the output depend on the first frame of the input."""

        @jax.jit
        def change(scale):
            first = jnp.arange(F).reshape(1, F, 1, 1, 1) == 0
            return network.apply(variables, jnp.where(first, scale * z, z), logsnr)

        difference = abs(change(1.0) - change(-1.0)).max(axis=(0, 2, 3, 4))
        return list(np.asarray(difference > 0))

    image_variables = without_time(variables, zeroed=False)
    assert affected_frames(image, image_variables) == [True] + [False] * (F - 1)
    assert affected_frames(video, variables) == [True] * F


def test_an_image_network_ignores_the_order_of_frames(variables):
    variables, order = without_time(variables, zeroed=False), np.array([2, 0, 3, 1])
    permuted = apply_image(variables, z[:, order], logsnr)
    np.testing.assert_allclose(apply_image(variables, z, logsnr)[:, order], permuted, atol=ROUNDING)


def test_a_static_clip_stays_static(variables):
    out = apply_video(variables, jnp.broadcast_to(z[:, :1], z.shape), logsnr)
    np.testing.assert_allclose(out, jnp.broadcast_to(out[:, :1], out.shape), atol=ROUNDING)


def test_one_log_snr_applies_to_all_frames(variables):
    frames = jnp.repeat(logsnr[:, None], F, axis=1)
    out = apply_video(variables, z, frames)
    np.testing.assert_allclose(out, apply_video(variables, z, logsnr), atol=ROUNDING)
    changed = apply_image(without_time(variables, zeroed=False), z, frames.at[:, 1].add(5.0))
    same = apply_image(without_time(variables, zeroed=False), z, frames)
    differs = np.asarray(abs(changed - same).max(axis=(2, 3, 4)) > 0)
    np.testing.assert_array_equal(differs, [[False, True, False, False]] * B)
