"""Super-resolution networks: inputs, outputs at initialisation, and invariances."""

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
image_pack = Conditioning(
    lowres=z[:, :, ::2, ::2],
    lowres_logsnr=normal(B, F),
    segments=jnp.broadcast_to(jnp.arange(F)[None], (B, F)),
)


def network(
    *levels: EfficientLevel, upsample_time: models.TemporalUpsample = Repeat()
) -> SuperResolution:
    embedding = Embedding(width=8, layers=1, inputs=(LogSNR(), LowresLogSNR()))
    unet = models.UNet(channels=4, levels=levels, embedding=embedding, outputs=3)
    return SuperResolution(unet, upsample_time)


both = network(EfficientLevel(1, (time,), blocks=1), EfficientLevel(2, (space, time), blocks=1))
apply = jax.jit(lambda module, variables, *args: module.apply(variables, *args), static_argnums=0)


@pytest.mark.parametrize("upsample_time", [Repeat(), Blank()])
def test_a_new_network_gives_zero_in_the_shape_of_z(upsample_time):
    module = network(EfficientLevel(1, (time,), blocks=1), upsample_time=upsample_time)

    @jax.jit
    def init_and_apply(key):
        return module.init_with_output(key, z, logsnr, cond)[0]

    out = init_and_apply(jax.random.key(0))
    assert out.shape == z.shape
    np.testing.assert_array_equal(out, 0.0)


@pytest.mark.parametrize("upsample_time", [Repeat(), models.MotionCompensated(reach=1)])
def test_a_new_residual_network_is_a_linear_filter(upsample_time):
    """v of x_hat = m + Wiener(z - alpha m): m for pure noise, z / alpha without noise."""
    module = models.Residual(both.network, upsample_time, std=0.2)
    process = diffusion.Process(diffusion.Cosine())
    m = upsample_time(jax.image.resize(low, (*low.shape[:2], SIDE, SIDE, 3), "linear"), F)[..., :3]
    levels = jnp.array([-20.0, 3.0])
    out = jax.jit(module.init_with_output)(jax.random.key(0), z, levels, cond)[0]
    x_hat = process.x(out, z, levels)
    alpha, sigma = (diffusion.expand(a, z) for a in process.alpha_sigma(levels))
    gain = alpha * 0.2**2 / (alpha**2 * 0.2**2 + sigma**2)
    np.testing.assert_allclose(x_hat, m + gain * (z - alpha * m), atol=ROUNDING)
    np.testing.assert_allclose(x_hat[0], m[0], atol=1e-4)


def test_patches_contain_both_videos():
    unet = models.UNet(channels=4, levels=(models.Level(blocks=1),), outputs=12)
    module = SuperResolution(Patched(unet, patch=2))
    variables = jax.eval_shape(module.init, jax.random.key(0), z, logsnr, cond)
    assert variables["params"]["network"]["network"]["input"]["kernel"].shape == (3, 3, 24, 4)
    assert jax.eval_shape(module.apply, variables, z, logsnr, cond).shape == z.shape


def test_the_output_depends_on_all_conditions():
    variables = parameters(both, z, logsnr, cond)
    out = apply(both, variables, z, logsnr, cond)
    for other in (
        Conditioning(lowres=-low, lowres_logsnr=level),
        Conditioning(lowres=low, lowres_logsnr=-level),
    ):
        assert float(abs(apply(both, variables, z, logsnr, other) - out).max()) > 1e-2
    assert float(abs(apply(both, variables, z, -logsnr, cond) - out).max()) > 1e-2


def test_a_pack_of_images_equals_single_images():
    variables = parameters(both, z, logsnr, cond)
    levels = normal(B, F, seed=2)
    packed = apply(both, variables, z, levels, image_pack)

    def alone(x):
        return x.reshape(B * F, *((1,) if x.ndim > 2 else ()), *x.shape[2:])

    one = Conditioning(
        lowres=alone(image_pack.lowres), lowres_logsnr=alone(image_pack.lowres_logsnr)
    )
    images = apply(both, variables, alone(z), alone(levels), one)
    np.testing.assert_allclose(packed, images.reshape(z.shape), atol=ROUNDING)


def test_zero_temporal_layers_give_the_image_network():
    still = Conditioning(lowres=z[:, :, ::2, ::2], lowres_logsnr=level)
    variables = parameters(both, z, logsnr, still)

    def zero_temporal(path, leaf):
        return jnp.zeros_like(leaf) if "TemporalConvolution" in str(path) else leaf

    variables = jax.tree_util.tree_map_with_path(zero_temporal, variables)
    video = apply(both, variables, z, logsnr, still)
    for frame in range(F):
        one = Conditioning(lowres=still.lowres[:, frame : frame + 1], lowres_logsnr=level)
        image = apply(both, variables, z[:, frame : frame + 1], logsnr, one)
        np.testing.assert_allclose(video[:, frame : frame + 1], image, atol=ROUNDING)


class Unnormed(linen.Module):
    """A norm that only applies the modulation."""

    @linen.compact
    def __call__(self, h, modulation=None):
        if modulation is None:
            return h
        a, b = modulation
        return h * (1 + a[:, :, None, None]) + b[:, :, None, None]


def test_a_fully_convolutional_network_is_shift_equivariant(monkeypatch):
    """Away from the borders, by shifts of the total stride."""
    for module in (nn.blocks, nn.mixers, models.unet):
        monkeypatch.setattr(module, "GroupNorm", lambda name=None: Unnormed(name=name))
    conv = network(EfficientLevel(1, (time,), blocks=1), EfficientLevel(1, (time,), blocks=1))
    wide, small = normal(1, 2, 100, 8, 3), normal(1, 1, 50, 4, 3, seed=1)

    def inputs(first):
        part = small[:, :, first // 2 : first // 2 + 48]
        cond = Conditioning(lowres=part, lowres_logsnr=level[:1])
        return wide[:, :, first : first + 96], logsnr[:1], cond

    variables = parameters(conv, *inputs(0))
    apply = jax.jit(conv.apply)
    here, there = (apply(variables, *inputs(first)) for first in (0, 4))
    middle = here[:, :, 50:54]  # the receptive field reaches 34 pixels
    np.testing.assert_allclose(middle, there[:, :, 46:50], atol=1e-4)
    assert float(abs(middle).max()) > 0.1


def test_cast_leaves_log_snrs_in_float32():
    half = cond.cast(jnp.bfloat16)
    assert half.lowres.dtype == jnp.bfloat16 and half.lowres_logsnr.dtype == jnp.float32


def test_wrong_inputs_raise():
    with pytest.raises(ValueError, match=r"needs cond.lowres, the low-resolution video"):
        parameters(both, z, logsnr)
    with pytest.raises(ValueError, match=r"needs cond.lowres_logsnr"):
        parameters(both, z, logsnr, Conditioning(lowres=low))
    with pytest.raises(ValueError, match=r"cannot upsample 3 frames to 4"):
        odd = jnp.concatenate([low, low[:, :1]], axis=1)
        parameters(both, z, logsnr, Conditioning(lowres=odd, lowres_logsnr=level))
    with pytest.raises(ValueError, match=r"4x3 does not divide by the level's stride"):
        deep = network(*[EfficientLevel(1, blocks=1)] * 2)
        parameters(deep, z[:, :, :, :6], logsnr, cond)
    with pytest.raises(ValueError, match="frames are never merged"):
        EfficientLevel(stride=(2, 2, 2))
