"""Super-resolution networks: what they see, what they start as, and where they look the same."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import ROUNDING, normal, parameters

from vdm_jax import diffusion, models, nn
from vdm_jax.models import Blank, Conditioning, EfficientLevel, Patched, Repeat, SuperResolution
from vdm_jax.nn import Embedding, LogSNR, LowresLogSNR, SpatialAttention, TemporalConvolution

time, space = TemporalConvolution(), SpatialAttention(head_dim=4)
B, F, SIDE = 2, 4, 8
z, low = normal(B, F, SIDE, SIDE, 3), normal(B, F // 2, SIDE // 2, SIDE // 2, 3, seed=1)
logsnr, level = jnp.array([-1.0, 2.0]), jnp.array([1.0, 3.0])
cond = Conditioning(lowres=low, lowres_logsnr=level)
pictures = Conditioning(
    lowres=z[:, :, ::2, ::2],
    lowres_logsnr=normal(B, F),
    segments=jnp.broadcast_to(jnp.arange(F)[None], (B, F)),
)


def network(*levels: EfficientLevel, fill: models.TemporalUpsample = Repeat()) -> SuperResolution:
    embedding = Embedding(width=8, layers=1, inputs=(LogSNR(), LowresLogSNR()))
    unet = models.UNet(channels=4, levels=levels, embedding=embedding, outputs=3)
    return SuperResolution(unet, fill)


both = network(EfficientLevel(1, (time,), blocks=1), EfficientLevel(2, (space, time), blocks=1))
apply = jax.jit(lambda module, variables, *args: module.apply(variables, *args), static_argnums=0)


@pytest.mark.parametrize("fill", [Repeat(), Blank()])
def test_a_new_network_says_zero_in_the_shape_of_z(fill):
    module = network(EfficientLevel(1, (time,), blocks=1), fill=fill)

    @jax.jit
    def init_and_apply(key):
        return module.init_with_output(key, z, logsnr, cond)[0]

    out = init_and_apply(jax.random.key(0))
    assert out.shape == z.shape
    np.testing.assert_array_equal(out, 0.0)


@pytest.mark.parametrize("fill", [Repeat(), models.MotionCompensated(reach=1)])
def test_a_new_residual_network_is_the_linear_filter_of_what_is_missing(fill):
    """v of x_hat = m + Wiener(z - alpha m): m in noise alone, z / alpha without any."""
    module = models.Residual(both.network, fill, std=0.2)
    process = diffusion.Process(diffusion.Cosine())
    m = fill(jax.image.resize(low, (*low.shape[:2], SIDE, SIDE, 3), "linear"), F)[..., :3]
    levels = jnp.array([-20.0, 3.0])
    out = jax.jit(module.init_with_output)(jax.random.key(0), z, levels, cond)[0]
    x_hat = process.x(out, z, levels)
    alpha, sigma = (diffusion.expand(a, z) for a in process.alpha_sigma(levels))
    gain = alpha * 0.2**2 / (alpha**2 * 0.2**2 + sigma**2)
    np.testing.assert_allclose(x_hat, m + gain * (z - alpha * m), atol=ROUNDING)
    np.testing.assert_allclose(x_hat[0], m[0], atol=1e-4)


def test_patches_are_of_both_videos():
    unet = models.UNet(channels=4, levels=(models.Level(blocks=1),), outputs=12)
    module = SuperResolution(Patched(unet, patch=2))
    variables = jax.eval_shape(module.init, jax.random.key(0), z, logsnr, cond)
    assert variables["params"]["network"]["network"]["input"]["kernel"].shape == (3, 3, 24, 4)
    assert jax.eval_shape(module.apply, variables, z, logsnr, cond).shape == z.shape


def test_all_that_is_given_is_heard():
    variables = parameters(both, z, logsnr, cond)
    out = apply(both, variables, z, logsnr, cond)
    for other in (
        Conditioning(lowres=-low, lowres_logsnr=level),
        Conditioning(lowres=low, lowres_logsnr=-level),
    ):
        assert float(abs(apply(both, variables, z, logsnr, other) - out).max()) > 1e-2
    assert float(abs(apply(both, variables, z, -logsnr, cond) - out).max()) > 1e-2


def test_a_pack_of_images_is_each_image_alone():
    variables = parameters(both, z, logsnr, cond)
    levels = normal(B, F, seed=2)
    packed = apply(both, variables, z, levels, pictures)

    def alone(x):
        return x.reshape(B * F, *((1,) if x.ndim > 2 else ()), *x.shape[2:])

    one = Conditioning(lowres=alone(pictures.lowres), lowres_logsnr=alone(pictures.lowres_logsnr))
    images = apply(both, variables, alone(z), alone(levels), one)
    np.testing.assert_allclose(packed, images.reshape(z.shape), atol=ROUNDING)


def test_temporal_layers_start_as_the_image_network():
    still = Conditioning(lowres=z[:, :, ::2, ::2], lowres_logsnr=level)
    variables = parameters(both, z, logsnr, still)

    def silent(path, leaf):
        return jnp.zeros_like(leaf) if "TemporalConvolution" in str(path) else leaf

    variables = jax.tree_util.tree_map_with_path(silent, variables)
    video = apply(both, variables, z, logsnr, still)
    for frame in range(F):
        one = Conditioning(lowres=still.lowres[:, frame : frame + 1], lowres_logsnr=level)
        image = apply(both, variables, z[:, frame : frame + 1], logsnr, one)
        np.testing.assert_allclose(video[:, frame : frame + 1], image, atol=ROUNDING)


class Unnormed(linen.Module):
    """A norm that leaves values as they are."""

    @linen.compact
    def __call__(self, h, modulation=None):
        if modulation is None:
            return h
        a, b = modulation
        return h * (1 + a[:, :, None, None]) + b[:, :, None, None]


def test_a_fully_convolutional_network_is_the_same_everywhere(monkeypatch):
    """Away from the borders, whatever is seen moves with the video by the total stride."""
    for module in (nn.blocks, nn.mixers, models.unet):
        monkeypatch.setattr(module, "GroupNorm", lambda name=None: Unnormed(name=name))
    conv = network(EfficientLevel(1, (time,), blocks=1), EfficientLevel(1, (time,), blocks=1))
    wide, small = normal(1, 2, 100, 8, 3), normal(1, 1, 50, 4, 3, seed=1)

    def seen(first):
        part = small[:, :, first // 2 : first // 2 + 48]
        given = Conditioning(lowres=part, lowres_logsnr=level[:1])
        return wide[:, :, first : first + 96], logsnr[:1], given

    variables = parameters(conv, *seen(0))
    apply = jax.jit(conv.apply)
    here, there = (apply(variables, *seen(first)) for first in (0, 4))
    middle = here[:, :, 50:54]  # the receptive field reaches 34 pixels
    np.testing.assert_allclose(middle, there[:, :, 46:50], atol=1e-4)
    assert float(abs(middle).max()) > 0.1


def test_half_precision_leaves_log_snrs_alone():
    half = cond.cast(jnp.bfloat16)
    assert half.lowres.dtype == jnp.bfloat16 and half.lowres_logsnr.dtype == jnp.float32


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"needs cond.lowres, the video to enlarge"):
        parameters(both, z, logsnr)
    with pytest.raises(ValueError, match=r"needs cond.lowres_logsnr"):
        parameters(both, z, logsnr, Conditioning(lowres=low))
    with pytest.raises(ValueError, match=r"3 frames, of which 4 cannot be made"):
        odd = jnp.concatenate([low, low[:, :1]], axis=1)
        parameters(both, z, logsnr, Conditioning(lowres=odd, lowres_logsnr=level))
    with pytest.raises(ValueError, match=r"4x3 does not divide by the level's stride"):
        deep = network(*[EfficientLevel(1, blocks=1)] * 2)
        parameters(deep, z[:, :, :, :6], logsnr, cond)
    with pytest.raises(ValueError, match="frames are never merged"):
        EfficientLevel(stride=(2, 2, 2))
