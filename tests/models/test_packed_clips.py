"""Batch elements of several clips: every clip has its own conditions and is independent."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import ROUNDING, normal, parameters

from vdm_jax.models import Conditioning, Level, UNet, WordEncoder
from vdm_jax.nn import Embedding, Label, LogSNR, TemporalAttention, TextAttention, TextByFrame

B, F, L = 2, 5, 3
CLIPS = np.array([0, 0, 0, 1, 2])  # a video of three frames and two images
z = normal(B, F, 4, 4, 3)
logsnr = normal(B, F, seed=1)
random = np.random.default_rng(0)
cond = Conditioning(
    label=jnp.asarray(random.integers(0, 3, (B, F))),
    tokens=jnp.asarray(random.integers(0, 7, (B, F, L))),
    text_mask=jnp.asarray(np.arange(L) < random.integers(1, L + 1, (B, F, 1))),
    segments=jnp.asarray([CLIPS] * B),
)


@pytest.fixture(scope="module")
def network():
    """A network with every kind of layer that uses conditions."""
    unet = UNet(
        channels=4,
        levels=(Level(1, (TextAttention(head_dim=4), TemporalAttention(head_dim=4)), blocks=1),),
        embedding=Embedding(8, layers=1, inputs=(LogSNR(), TextByFrame(), Label(3))),
        text=WordEncoder(vocabulary=7, features=6),
    )
    variables = parameters(unet, z, logsnr, cond)

    def output(z, logsnr=logsnr, **changes):
        return apply(variables, z, logsnr, dataclasses.replace(cond, **changes))

    @jax.jit
    def gradient(frames):
        """Of the square of the chosen frames, with respect to z and to the log-SNRs."""

        def power(z, logsnr):
            output = unet.apply(variables, z, logsnr, cond)
            return jnp.square(output * frames.reshape(1, F, 1, 1, 1)).sum()

        return jax.grad(power, argnums=(0, 1))(z, logsnr)

    apply = jax.jit(unet.apply)
    return SimpleNamespace(output=output, gradient=gradient)


def frames_in(clip: int) -> np.ndarray:
    return np.equal(CLIPS, clip)


def changed(one, other) -> np.ndarray:
    """The frames that differ between two outputs."""
    return np.asarray(abs(one - other).max(axis=(0, 2, 3, 4)) > 1e-5)


@pytest.mark.parametrize("clip", [0, 1, 2])
def test_gradients_stay_in_their_clip(network, clip):
    of_z, of_logsnr = network.gradient(jnp.asarray(frames_in(clip), jnp.float32))
    np.testing.assert_array_equal(abs(of_z).max(axis=(0, 2, 3, 4)) > 0, frames_in(clip))
    np.testing.assert_array_equal(abs(of_logsnr).max(axis=0) > 0, frames_in(clip))


@pytest.mark.parametrize("clip", [0, 1, 2])
def test_conditions_stay_with_their_clip(network, clip):
    base, frames = network.output(z), frames_in(clip)
    label = cond.label.at[:, clip].set((cond.label[:, clip] + 1) % 3)
    np.testing.assert_array_equal(changed(base, network.output(z, label=label)), frames)
    tokens = cond.tokens.at[:, clip, 0].set((cond.tokens[:, clip, 0] + 1) % 7)
    np.testing.assert_array_equal(changed(base, network.output(z, tokens=tokens)), frames)
    levels = logsnr + 1.0 * (cond.segments == clip)
    np.testing.assert_array_equal(changed(base, network.output(z, levels)), frames)


def test_the_order_of_images_does_not_matter(network):
    swap = np.array([0, 1, 2, 4, 3])
    clips = np.array([0, 2, 1, 3, 4])
    swapped = network.output(
        z[:, swap],
        logsnr[:, swap],
        label=cond.label[:, clips],
        tokens=cond.tokens[:, clips],
        text_mask=cond.text_mask[:, clips],
    )
    np.testing.assert_allclose(network.output(z)[:, swap], swapped, atol=ROUNDING)


def test_a_pack_of_images_equals_single_images(network):
    pack = network.output(z, segments=jnp.broadcast_to(jnp.arange(F)[None], (B, F)))
    alone = network.output(
        z.reshape(B * F, 1, 4, 4, 3),
        logsnr.reshape(B * F),
        label=cond.label.ravel(),
        tokens=cond.tokens.reshape(B * F, L),
        text_mask=cond.text_mask.reshape(B * F, L),
        segments=None,
    )
    np.testing.assert_allclose(pack, alone.reshape(z.shape), atol=ROUNDING)


def test_masked_tokens_have_no_effect(network):
    other = jnp.where(cond.text_mask, cond.tokens, 0)
    assert bool((other != cond.tokens).any())
    np.testing.assert_array_equal(network.output(z), network.output(z, tokens=other))


def test_without_conditions_tokens_have_no_effect(network):
    null = cond.null()
    unconditional = {"label": null.label, "text_mask": null.text_mask}
    out = network.output(z, **unconditional)
    np.testing.assert_array_equal(out, network.output(z, **unconditional, tokens=0 * cond.tokens))
    assert changed(out, network.output(z)).all()
