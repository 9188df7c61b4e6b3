"""What is computed again in the backward pass: equal gradients, equal names, less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import models, nn

SPACE, TIME = nn.SpatialAttention(8), nn.TemporalAttention(8)
WAYS = (nn.ByLevel(), nn.ByLevel(nn.Products()), nn.ByLayer(nn.Products()), nn.ByLayer())
Z = np.random.default_rng(0).normal(size=(1, 2, 4, 4, 3)).astype(np.float32)


class Forgetful(nn.Nothing):
    """Not even the statistics stay."""

    policy = None


def network(remat, kind=models.Level, blocks=1):
    levels = (kind(1, (SPACE, TIME), blocks, remat=remat),)
    return models.UNet(16, levels, nn.Embedding(width=16, layers=1), outputs=3)


def output(remat, kind=models.Level, blocks=1):
    """parameters -> what the network makes of Z."""
    apply = network(remat, kind, blocks).apply
    return lambda params: apply({"params": params}, Z, jnp.zeros(1))


def parameters(kind=models.Level, blocks=1, remat=nn.Never()):
    init = network(remat, kind, blocks).init
    return jax.eval_shape(init, jax.random.key(0), Z, jnp.zeros(1))["params"]


def kept(remat) -> int:
    """The number of elements that wait for the backward pass, parameters aside."""
    shapes = parameters(blocks=3)
    back = jax.eval_shape(lambda p: jax.vjp(output(remat, blocks=3), p)[1], shapes)
    elements = sum(x.size for x in jax.tree.leaves(back))
    return elements - sum(x.size for x in jax.tree.leaves(shapes))


def test_the_less_is_kept_the_less_waits():
    all_, level, level_products, layer_products, layer = map(kept, (nn.Never(), *WAYS))
    assert level < layer < layer_products < all_
    assert level < level_products < all_


def test_statistics_of_norms_are_not_computed_again():
    def again(remat) -> int:
        """How many means over rows and columns stand in what is computed again."""
        loss = lambda p: jnp.square(output(remat)(p)).mean()  # noqa: E731
        text = jax.make_jaxpr(jax.grad(loss))(parameters()).pretty_print(name_stack=True)
        lines = [line for line in text.splitlines() if "rematted_computation" in line]
        return sum("reduce_sum[axes=(1, 2)" in line for line in lines)

    forgets = nn.ByLayer(Forgetful())
    assert again(forgets) > 0
    assert again(nn.ByLayer()) == again(nn.ByLayer(nn.Products())) == 0


@pytest.mark.parametrize("kind", [models.Level, models.EfficientLevel, models.LatentLevel])
def test_parameters_have_the_same_names(kind):
    names = [parameters(kind, 2, remat) for remat in (nn.Never(), *WAYS)]
    assert all(jax.tree.structure(found) == jax.tree.structure(names[0]) for found in names)


@pytest.mark.parametrize("way", [nn.ByLevel(nn.Products()), nn.ByLayer()], ids=str)
def test_gradients_are_the_same(way):
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: np.float32(rng.normal(size=x.shape) * 0.2), parameters())

    def gradient(remat):
        return jax.jit(jax.grad(lambda p: jnp.square(output(remat)(p)).mean()))(params)

    for a, b in zip(*map(jax.tree.leaves, (gradient(way), gradient(nn.Never()))), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(float(np.abs(b).max()), 1e-3))
