"""Rematerialisation: equal gradients and parameter names, less memory."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from vdm_jax import config, models, nn, parallel
from vdm_jax.parallel.flops import REMAT_SCOPE

SPACE, TIME = nn.SpatialAttention(8), nn.TemporalAttention(8)
REMATS = (
    nn.RematLevel(),
    nn.RematLevel(nn.SaveDots()),
    nn.RematLayer(nn.SaveDots()),
    nn.RematLayer(nn.SaveConvolutions()),
    nn.RematLayer(),
)
Z = np.random.default_rng(0).normal(size=(1, 2, 4, 4, 3)).astype(np.float32)


class SaveInputsOnly(nn.SaveNothing):
    """Saves not even the statistics of norms."""

    policy = None


def network(remat, kind=models.Level, blocks=0, mixers=(SPACE, TIME)):
    levels = (kind(1, mixers, blocks, remat=remat),)
    return models.UNet(16, levels, nn.Embedding(width=16, layers=1), outputs=3)


def output(remat, **options):
    """parameters -> the network's output for Z."""
    apply = network(remat, **options).apply
    return lambda params: apply({"params": params}, Z, jnp.zeros(1))


def parameters(kind=models.Level, blocks=0, remat=None, **options):
    init = network(remat, kind, blocks, **options).init
    return jax.eval_shape(init, jax.random.key(0), Z, jnp.zeros(1))["params"]


def residuals(remat) -> int:
    """The number of elements saved for the backward pass, without parameters."""
    shapes = parameters(blocks=2)
    back = jax.eval_shape(lambda p: jax.vjp(output(remat, blocks=2), p)[1], shapes)
    elements = sum(x.size for x in jax.tree.leaves(back))
    return elements - sum(x.size for x in jax.tree.leaves(shapes))


def test_policies_that_save_less_need_less_memory():
    everything, level, level_dots, layer_dots, layer_convolutions, layer = map(
        residuals, (None, *REMATS)
    )
    assert level < layer < layer_convolutions < layer_dots < everything
    assert level < level_dots < everything


def program(remat, mixers=(SPACE, TIME)):
    """The jaxpr of a network's gradient."""
    return jax.make_jaxpr(jax.grad(lambda p: jnp.square(output(remat, mixers=mixers)(p)).mean()))(
        parameters(mixers=mixers)
    )


def test_statistics_of_norms_are_not_recomputed():
    def means(remat) -> int:
        """How many sums over the rows and columns of frames are recomputed."""
        return sums(program(remat).jaxpr, recomputed=False)

    def sums(jaxpr, recomputed) -> int:
        count = 0
        for equation in jaxpr.eqns:
            here = recomputed or REMAT_SCOPE in str(equation.source_info.name_stack)
            params = equation.params
            if here and equation.primitive.name == "reduce_sum":
                count += params["axes"] == (1, 2)
            count += sum(sums(inner, here) for inner in jaxprs_in_params(params))
        return count

    assert means(nn.RematLayer(SaveInputsOnly())) > 0
    assert means(nn.RematLayer()) == means(nn.RematLayer(nn.SaveDots())) == 0


def recomputed_flops(save, **options) -> float:
    return parallel.count_flops(program(nn.RematLayer(save), **options)).rematerialized


def test_saved_convolutions_are_not_recomputed():
    nothing, convolutions = (
        recomputed_flops(save, mixers=()) for save in (nn.SaveNothing(), nn.SaveConvolutions())
    )
    assert nothing > 10 * convolutions


def test_saved_dots_are_not_recomputed():
    assert recomputed_flops(nn.SaveConvolutions()) > 0 == recomputed_flops(nn.SaveDots())


@pytest.mark.parametrize("kind", [models.Level, models.EfficientLevel, models.LatentLevel])
def test_older_json_and_assignments(kind):
    """Of older versions, `Never`, `Unrolled` and False are None, and True is `RematLevel`."""
    off, on = kind(), kind(remat=nn.RematLevel(), scan=nn.ScanBlocks())
    saved = {"class": f"models.{kind.__name__}"}
    never, unrolled = {"class": "nn.Never"}, {"class": "nn.Unrolled"}
    assert config.from_json({**saved, "remat": never, "chain": unrolled}) == off
    assert config.from_json({**saved, "remat": False}) == off
    scanned = {"class": "nn.Scanned", "least": 2}
    for remat in (True, {"class": "nn.ByLevel", "keep": {"class": "nn.Nothing"}}):
        assert config.from_json({**saved, "remat": remat, "chain": scanned}) == on
    assert config.override(off, "remat=nn.RematLevel()", "scan=nn.ScanBlocks()") == on
    assert config.override(on, "remat=None", "scan=None") == off
    with pytest.raises(config.ConfigError, match=r"nn\.Never is now written None"):
        config.override(on, "remat=nn.Never()")
    with pytest.raises(config.ConfigError, match=r"remat takes .*RematLevel"):
        config.override(off, "remat=True")


@pytest.mark.parametrize("kind", [models.Level, models.EfficientLevel, models.LatentLevel])
def test_parameters_have_the_same_names(kind):
    trees = [jax.tree.structure(parameters(kind, 2, remat)) for remat in (None, *REMATS)]
    assert all(tree == trees[0] for tree in trees)


TRACED = []


class Recorder(linen.Module):
    """A mixer that records when it is traced."""

    @linen.compact
    def __call__(self, h, emb, cond, train=False):
        TRACED.append(h.shape)
        return h + linen.Dense(h.shape[-1])(h)


@pytest.mark.parametrize("remat", [None, nn.RematLevel(), nn.RematLayer()], ids=str)
def test_layers_that_differ_only_in_their_parameters_are_traced_once(remat):
    """There are six: two on the way down, one in the middle and three on the way up."""
    options = {"blocks": 2, "mixers": (Recorder(),)}
    params = parameters(**options)
    assert len(params["up_0"]) == 6 and params["up_0"].keys() >= {"Recorder_2"}
    TRACED.clear()
    jax.make_jaxpr(jax.grad(lambda p: output(remat, **options)(p).sum()))(params)
    assert TRACED == [(1, 2, 4, 4, 16)]


def gradient(remat):
    """The gradient at random parameters, none of them zero."""
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: np.float32(rng.normal(size=x.shape) * 0.2), parameters())
    return jax.jit(jax.grad(lambda p: jnp.square(output(remat)(p)).mean()))(params)


@pytest.fixture(scope="module")
def expected():
    return gradient(None)


@pytest.mark.parametrize(
    "remat",
    [nn.RematLevel(nn.SaveDots()), nn.RematLayer(), nn.RematLayer(nn.SaveConvolutions())],
    ids=str,
)
def test_gradients_are_the_same(remat, expected):
    for a, b in zip(*map(jax.tree.leaves, (gradient(remat), expected)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(float(np.abs(b).max()), 1e-3))
