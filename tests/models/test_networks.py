"""Small networks: shapes, outputs at initialisation, and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from arbitrary import ROUNDING, normal, parameters

from vdm_jax.models import Conditioning, Level, Patched, ProjectedText, UNet, WordEncoder
from vdm_jax.nn import (
    Embedding,
    LogSNR,
    PooledText,
    RematLevel,
    SpatialAttention,
    TemporalAttention,
    TextAttention,
)

space, time = SpatialAttention(head_dim=4), TemporalAttention(head_dim=4)
small = Embedding(width=8, layers=1)
logsnr = jnp.array([-1.0, 2.0])


def unet(*levels: Level) -> UNet:
    return UNet(channels=4, levels=levels, embedding=small)


def shapes(network, z) -> dict:
    return jax.eval_shape(lambda key: network.init(key, z, logsnr), jax.random.key(0))["params"]


@pytest.mark.parametrize(
    ("network", "size"),
    [
        (unet(Level(1, (space, time), blocks=1)), (3, 5, 7)),
        (unet(Level(1, blocks=1), Level(2, (time,))), (1, 8, 4)),
        (unet(Level(1, stride=(2, 2, 2)), Level(1, stride=(1, 1, 2)), Level(3)), (4, 6, 8)),
        (Patched(unet(Level(1, blocks=1)), patch=4), (2, 8, 12)),
    ],
)
def test_the_output_is_shaped_like_the_input(network, size):
    z = normal(2, *size, 3)
    variables = jax.eval_shape(network.init, jax.random.key(0), z, logsnr)
    assert jax.eval_shape(network.apply, variables, z, logsnr) == jax.ShapeDtypeStruct(
        z.shape, z.dtype
    )


def test_a_new_network_gives_zero():
    network = Patched(unet(Level(1, (space, time), blocks=1)), patch=2)

    @jax.jit
    def init_and_apply(key):
        return network.init_with_output(key, normal(2, 2, 4, 4, 3), logsnr)[0]

    np.testing.assert_array_equal(init_and_apply(jax.random.key(0)), 0.0)


def test_inserting_a_layer_renames_no_parameter():
    def names(*mixers):
        tree = shapes(unet(Level(1, mixers), Level(2, mixers)), normal(2, 2, 4, 4, 3))
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        return {(jax.tree_util.keystr(path), leaf.shape) for path, leaf in leaves}

    image, video = names(space), names(time, space, time)
    assert image < video
    assert all("TemporalAttention" in name for name, _ in video - image)


def test_patches_are_channels():
    """A patched network has the parameters of the network on the patches."""
    inner = unet(Level(1, blocks=1))
    z = normal(2, 1, 4, 4, 3)
    assert shapes(Patched(inner, patch=2), z) == {
        "network": shapes(inner, jnp.zeros((2, 1, 2, 2, 12)))
    }


def test_projected_text_is_projected_once_for_all_layers():
    """Equal to the inner network on the projected tokens."""
    embedding = Embedding(width=8, layers=1, inputs=(LogSNR(), PooledText()))
    inner = UNet(4, (Level(1, (TextAttention(head_dim=4),), blocks=1),), embedding)
    network, z, text = ProjectedText(inner, features=6), normal(2, 1, 4, 4, 3), normal(2, 3, 10)
    cond = Conditioning(text=text)
    variables = parameters(network, z, logsnr, cond)
    params = variables["params"]
    kernel, bias = params["text"]["kernel"], params["text"]["bias"][None, None]
    projected = Conditioning(text=jnp.einsum("b l d, d c -> b l c", text, kernel) + bias)

    @jax.jit
    def both(z):
        ours = network.apply(variables, z, logsnr, cond)
        return ours, inner.apply({"params": params["network"]}, z, logsnr, projected)

    np.testing.assert_allclose(*both(z), atol=ROUNDING)


def test_word_embeddings_depend_on_the_position():
    encoder, tokens = WordEncoder(vocabulary=5, features=6), jnp.array([[2, 2, 4]])
    variables = parameters(encoder, tokens, None)
    words = encoder.apply(variables, tokens, None)
    assert words.shape == (1, 3, 6)
    assert float(abs(words[0, 0] - words[0, 1]).max()) > 0.1
    packed = encoder.apply(variables, tokens[:, None], None)
    np.testing.assert_array_equal(packed[:, 0], words)


def test_indivisible_sizes_raise():
    with pytest.raises(ValueError, match=r"\(3, 5, 8\).*stride \(1, 2, 2\)"):
        shapes(unet(Level(1), Level(1)), normal(2, 3, 5, 8, 3))
    with pytest.raises(ValueError, match="5x8 pixels does not divide into patches of 2x2"):
        shapes(Patched(unet(Level(1)), patch=2), normal(2, 3, 5, 8, 3))


def test_bfloat16_is_close_to_float32():
    network = unet(Level(1, (space, time), blocks=1))
    z, cond = normal(2, 3, 4, 4, 3), Conditioning()
    variables = parameters(network, z, logsnr)
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), variables)
    apply = jax.jit(network.apply)
    out, near = apply(variables, z, logsnr, cond), apply(half, z.astype(jnp.bfloat16), logsnr, cond)
    assert near.dtype == jnp.bfloat16
    error = jnp.linalg.norm(near.astype(jnp.float32) - out) / jnp.linalg.norm(out)
    assert float(error) < 3e-2


def test_remat_gives_the_same_gradient():
    z = normal(2, 2, 4, 4, 3)

    def gradient(remat):
        network = unet(Level(1, (space,), blocks=1, remat=remat))
        variables = parameters(network, z, logsnr)
        loss = jax.jit(jax.grad(lambda v: jnp.square(network.apply(v, z, logsnr)).sum()))
        return loss(variables)

    stored, recomputed = gradient(None), gradient(RematLevel())
    assert jax.tree.structure(stored) == jax.tree.structure(recomputed)
    norm = jax.jit(optax.global_norm)
    difference = jax.tree.map(np.subtract, *jax.device_get((stored, recomputed)))
    assert float(norm(difference)) < 1e-5 * float(norm(stored))
