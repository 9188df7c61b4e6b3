"""What is computed again in the backward pass: equal gradients, equal names, less memory."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from vdm_jax import models, nn, parallel
from vdm_jax.parallel.flops import AGAIN

SPACE, TIME = nn.SpatialAttention(8), nn.TemporalAttention(8)
WAYS = (
    nn.RematLevel(),
    nn.RematLevel(nn.SaveDots()),
    nn.RematLayer(nn.SaveDots()),
    nn.RematLayer(nn.SaveConvolutions()),
    nn.RematLayer(),
)
Z = np.random.default_rng(0).normal(size=(1, 2, 4, 4, 3)).astype(np.float32)


class Forgetful(nn.SaveNothing):
    """Not even the statistics stay."""

    policy = None


def network(remat, kind=models.Level, blocks=0, mixers=(SPACE, TIME)):
    levels = (kind(1, mixers, blocks, remat=remat),)
    return models.UNet(16, levels, nn.Embedding(width=16, layers=1), outputs=3)


def output(remat, *how, **more):
    """parameters -> what the network makes of Z."""
    apply = network(remat, *how, **more).apply
    return lambda params: apply({"params": params}, Z, jnp.zeros(1))


def parameters(kind=models.Level, blocks=0, remat=nn.Never(), **how):
    init = network(remat, kind, blocks, **how).init
    return jax.eval_shape(init, jax.random.key(0), Z, jnp.zeros(1))["params"]


def kept(remat) -> int:
    """The number of elements that wait for the backward pass, parameters aside."""
    shapes = parameters(blocks=2)
    back = jax.eval_shape(lambda p: jax.vjp(output(remat, blocks=2), p)[1], shapes)
    elements = sum(x.size for x in jax.tree.leaves(back))
    return elements - sum(x.size for x in jax.tree.leaves(shapes))


def test_the_less_is_kept_the_less_waits():
    all_, level, level_products, layer_products, layer_convolutions, layer = map(
        kept, (nn.Never(), *WAYS)
    )
    assert level < layer < layer_convolutions < layer_products < all_
    assert level < level_products < all_


def program(remat, mixers=(SPACE, TIME)):
    """That of the gradient of a network."""
    return jax.make_jaxpr(jax.grad(lambda p: jnp.square(output(remat, mixers=mixers)(p)).mean()))(
        parameters(mixers=mixers)
    )


def test_statistics_of_norms_are_not_computed_again():
    def means(remat) -> int:
        """How many sums over the rows and columns of pictures stand in what is computed again."""
        return sums(program(remat).jaxpr, again=False)

    def sums(jaxpr, again) -> int:
        count = 0
        for equation in jaxpr.eqns:
            here, params = again or AGAIN in str(equation.source_info.name_stack), equation.params
            if here and equation.primitive.name == "reduce_sum":
                count += params["axes"] == (1, 2)
            count += sum(sums(inner, here) for inner in jaxprs_in_params(params))
        return count

    assert means(nn.RematLayer(Forgetful())) > 0
    assert means(nn.RematLayer()) == means(nn.RematLayer(nn.SaveDots())) == 0


def test_convolutions_that_stay_are_not_computed_again():
    def again(remat) -> float:
        return parallel.count_flops(program(remat, mixers=())).rematerialized

    assert again(nn.RematLayer()) > 10 * again(nn.RematLayer(nn.SaveConvolutions()))


def test_with_products_that_stay_no_product_is_computed_again():
    found = [
        parallel.count_flops(program(nn.RematLayer(keep)))
        for keep in (nn.SaveConvolutions(), nn.SaveDots())
    ]
    assert found[0].rematerialized > 0 == found[1].rematerialized


@pytest.mark.parametrize("kind", [models.Level, models.EfficientLevel, models.LatentLevel])
def test_parameters_have_the_same_names(kind):
    names = [parameters(kind, 2, remat) for remat in (nn.Never(), *WAYS)]
    assert all(jax.tree.structure(found) == jax.tree.structure(names[0]) for found in names)


TRACED = []


class Noted(linen.Module):
    """A mixer that says when it is traced."""

    @linen.compact
    def __call__(self, h, emb, cond, train=False):
        TRACED.append(h.shape)
        return h + linen.Dense(h.shape[-1])(h)


@pytest.mark.parametrize("remat", [nn.Never(), nn.RematLevel(), nn.RematLayer()], ids=str)
def test_layers_that_differ_in_nothing_but_parameters_are_traced_once(remat):
    """Of two blocks down, one in the middle and three up."""
    how = {"blocks": 2, "mixers": (Noted(),)}
    params = parameters(**how)
    assert len(params["up_0"]) == 6 and params["up_0"].keys() >= {"Noted_2"}
    TRACED.clear()
    jax.make_jaxpr(jax.grad(lambda p: output(remat, **how)(p).sum()))(params)
    assert TRACED == [(1, 2, 4, 4, 16)]


def gradient(remat):
    """Where parameters are not zero."""
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: np.float32(rng.normal(size=x.shape) * 0.2), parameters())
    return jax.jit(jax.grad(lambda p: jnp.square(output(remat)(p)).mean()))(params)


@pytest.fixture(scope="module")
def expected():
    return gradient(nn.Never())


@pytest.mark.parametrize(
    "way",
    [nn.RematLevel(nn.SaveDots()), nn.RematLayer(), nn.RematLayer(nn.SaveConvolutions())],
    ids=str,
)
def test_gradients_are_the_same(way, expected):
    for a, b in zip(*map(jax.tree.leaves, (gradient(way), expected)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(float(np.abs(b).max()), 1e-3))
