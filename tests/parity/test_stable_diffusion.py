"""Stable Diffusion's autoencoder and U-Net against diffusers: outputs to 1e-4, all tensors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal, parameters

from vdm_jax import models
from vdm_jax.checkpoints import layouts
from vdm_jax.models import Conditioning
from vdm_jax.systems import stable_diffusion

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from foreign import assert_same_bytes, randomize, saved_tensors  # noqa: E402


def to_torch(x) -> "torch.Tensor":
    """Frames of clips as a batch of images, channels first."""
    x = np.asarray(x)
    return torch.tensor(x.reshape(-1, *x.shape[2:]).transpose(0, 3, 1, 2).copy())


def from_torch(y: "torch.Tensor", frames: int) -> np.ndarray:
    """The inverse of `to_torch`."""
    y = y.detach().numpy().transpose(0, 2, 3, 1)
    return y.reshape(-1, frames, *y.shape[1:])


def like(network, *args):
    return jax.eval_shape(lambda k: network.init(k, *args), jax.random.key(0))["params"]


OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def test_autoencoder(tmp_path):
    theirs = diffusers.AutoencoderKL(
        block_out_channels=(32, 64),
        layers_per_block=1,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    tensors = saved_tensors(randomize(theirs), tmp_path)
    network = models.AutoencoderKL(32, (1, 2), blocks=1)
    x = normal(2, 3, 16, 8, 3)
    shapes = like(network, x)
    layout, fit = layouts.recognize(tensors)
    assert (layout, fit) == (layouts.AUTOENCODER_KL, 1.0)
    params = layout.to_params(tensors, shapes)
    assert_same_bytes(layout.to_foreign(params), tensors)

    def encode_and_decode(x):
        bound = network.bind({"params": params})
        z = bound.encode(x)
        return *bound.posterior(x), z, bound.decode(z)

    with torch.no_grad(), jax.default_matmul_precision("highest"):
        expected = theirs.encode(to_torch(x)).latent_dist
        decoded = theirs.decode(expected.mean).sample
        mean, logvar, z, y = jax.jit(encode_and_decode)(x)
    np.testing.assert_allclose(mean, from_torch(expected.mean, 3), atol=1e-4)
    np.testing.assert_allclose(logvar, from_torch(expected.logvar, 3), atol=1e-4)
    np.testing.assert_allclose(z, mean * theirs.config.scaling_factor, atol=1e-6)
    np.testing.assert_allclose(y, from_torch(decoded, 3), atol=1e-4)

    def old_name(name):
        for new, old in OLD.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
        return name

    old = {old_name(name): tensor for name, tensor in tensors.items()}
    layout, fit = layouts.recognize(old)
    assert (layout, fit) == (layouts.AUTOENCODER_KL_2022, 1.0)
    again = layout.to_params(old, shapes)
    assert_same_bytes(layout.to_foreign(again), old)
    jax.tree.map(np.testing.assert_array_equal, again, params)


def test_latents_are_samples_of_the_posterior():
    network = models.AutoencoderKL(4, (1,), blocks=0, latent=2, scale=0.5)
    x = jnp.tile(normal(1, 1, 2, 2, 3), (1, 2000, 1, 1, 1))

    @jax.jit
    def encode(variables):
        bound = network.bind(variables)
        return *bound.posterior(x), bound.encode(x, jax.random.key(0)), bound.encode(x)

    mean, logvar, z, z_mean = map(np.asarray, encode(parameters(network, x)))
    z, z_mean = z / 0.5, z_mean / 0.5
    np.testing.assert_allclose(z_mean, mean, atol=1e-6)
    error = np.exp(logvar[:, 0] / 2) * 4 / 2000**0.5
    assert (abs(z.mean(axis=1) - mean[:, 0]) < error).all()
    np.testing.assert_allclose(np.log(z.var(axis=1)), logvar[:, 0], atol=0.2)


def foreign_unet(linear: bool, heads):
    return diffusers.UNet2DConditionModel(
        block_out_channels=(64, 128),
        layers_per_block=2,
        cross_attention_dim=24,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=heads,
        transformer_layers_per_block=2 if linear else 1,
        use_linear_projection=linear,
    )


@pytest.mark.parametrize("linear", [False, True], ids=["version 1", "version 2"])
def test_unet(tmp_path, linear):
    heads = (2, 4) if linear else (4, 4)
    theirs = foreign_unet(linear, heads)
    tensors = saved_tensors(randomize(theirs), tmp_path)
    network = stable_diffusion.unet(
        heads, channels=64, widths=(1, 2), depth=2 if linear else 1, embedding=256
    )
    z, text = normal(2, 3, 8, 4, 4), normal(2, 5, 24)
    step = np.array([1, 617])
    logsnr = stable_diffusion.STEPS(jnp.asarray((step + 1) / 1000, jnp.float32))
    cond = Conditioning(text=text)

    published = layouts.STABLE_DIFFUSION_2 if linear else layouts.STABLE_DIFFUSION_1
    projection = "o i -> i o" if linear else "o i 1 1 -> i o"
    layout = layouts.unet_2d(published.name, published.files, projection, levels=2)
    assert layout.match_score(tensors) == 1.0
    params = layout.to_params(tensors, like(network, z, logsnr, cond))
    assert_same_bytes(layout.to_foreign(params), tensors)

    with torch.no_grad():
        expected = theirs(
            to_torch(z),
            torch.tensor(np.repeat(step, 3)),
            torch.tensor(np.repeat(text, 3, axis=0)),
        ).sample
    with jax.default_matmul_precision("highest"):
        ours = jax.jit(network.apply)({"params": params}, z, logsnr, cond)
    np.testing.assert_allclose(ours, from_torch(expected, 3), atol=1e-4)


PUBLISHED = {
    "version 1": (8, 768, False, 859_520_964),
    "version 2": ((5, 10, 20, 20), 1024, True, 865_910_724),
}


@pytest.mark.parametrize("version", PUBLISHED)
def test_unets_at_their_published_size(version):
    heads, features, linear, count = PUBLISHED[version]
    with torch.device("meta"):
        theirs = diffusers.UNet2DConditionModel(
            attention_head_dim=heads, cross_attention_dim=features, use_linear_projection=linear
        )
    network = stable_diffusion.unet_2() if linear else stable_diffusion.unet_1()
    layout = layouts.STABLE_DIFFUSION_2 if linear else layouts.STABLE_DIFFUSION_1
    shapes = like(network, jnp.zeros((1, 1, 8, 8, 4)), jnp.zeros(1),
                  Conditioning(text=jnp.zeros((1, 77, features))))  # fmt: skip
    assert_same_tensors(theirs, layout, shapes, count)


def test_the_autoencoder_at_its_published_size():
    with torch.device("meta"):
        theirs = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )
    shapes = like(stable_diffusion.autoencoder(), jnp.zeros((1, 1, 8, 8, 3)))
    assert_same_tensors(theirs, layouts.AUTOENCODER_KL, shapes, 83_653_863)


def assert_same_tensors(theirs, layout, shapes, count):
    """Asserts the names and shapes of all tensors and the number of parameters."""
    foreign = layout.to_foreign(shapes)
    names = {name: tuple(t.shape) for name, t in theirs.state_dict().items()}
    assert {name: foreign.shape(name) for name in foreign} == names
    assert layouts.recognize(names, names.__getitem__) == (layout, 1.0)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count


def test_text_encoders_have_their_published_size():
    def count(network):
        return sum(leaf.size for leaf in jax.tree.leaves(like(network, jnp.zeros((1, 77), int))))

    assert count(stable_diffusion.text_encoder_1()) == 123_060_480
    assert count(stable_diffusion.text_encoder_2()) == 340_387_840


def test_odd_sizes_and_other_strides_raise():
    network = models.AutoencoderKL(8, (1, 1), blocks=1)
    with pytest.raises(ValueError, match="feature map of 7x8 cannot be halved"):
        like(network, jnp.zeros((1, 1, 7, 8, 3)))
    with pytest.raises(ValueError, match=r"LatentLevel\.stride is \(2, 2, 2\)"):
        models.LatentLevel(1, stride=(2, 2, 2))
