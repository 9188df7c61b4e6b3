"""`ScanBlocks`: a loop over equal blocks computes what the unrolled blocks compute."""

import re

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import models, nn

Z = np.random.default_rng(0).normal(size=(1, 2, 4, 4, 3)).astype(np.float32)
KINDS = {  # level, mixers, and for each scope which blocks are in the loop (L) and outside (-)
    "unet": (
        models.Level,
        (nn.SpatialAttention(32),),
        {"down_0": "LL-", "up_1": "LL--", "up_0": "-LL"},
    ),
    "super-resolution": (
        models.EfficientLevel,
        (),
        {"down_0": "LL", "down_1": "LL", "up_1": "LL", "up_0": "LL"},
    ),
    "latent": (
        models.LatentLevel,
        (nn.TemporalAttention(32),),
        {"down_0": "LL", "up_1": "LL-", "up_0": "-LL"},
    ),
}


def network(kind, scan, remat=None, blocks=2):
    level, mixers, _ = KINDS[kind]
    levels = tuple(level(w, mixers, blocks, remat=remat, scan=scan) for w in (1, 2))
    # Two channels per group: with one, the gradient of a bias before a norm is only rounding.
    return models.UNet(64, levels, nn.Embedding(width=16, layers=1))


def shapes(network):
    return jax.eval_shape(network.init, jax.random.key(0), Z, jnp.zeros(1))["params"]


def arbitrary(shapes):
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: np.float32(0.2 * rng.normal(size=x.shape)), shapes)


def leaves(tree):
    pairs = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in pairs}


def unrolled(params, orders):
    """Parameters of a network with loops under the paths of the same network without loops."""
    by_path, looped = {}, {p.split("/")[0] + re.sub(r".*Loop_0/(\w+)_\d+/.*", r"\1", p)
                           for p in leaves(params) if "Loop_0" in p}  # fmt: skip
    for path, x in leaves(params).items():
        scope, _, rest = path.partition("/")
        loop = re.fullmatch(r"Loop_0/(\w+)_0/(.*)", rest)
        alone = re.fullmatch(r"(\w+)_(\d+)/(.*)", rest)
        if loop:
            turns = [i for i, c in enumerate(orders[scope]) if c == "L"]
            for i, turn in zip(turns, x, strict=True):
                by_path[f"{scope}/{loop[1]}_{i}/{loop[2]}"] = turn
        elif alone and scope + alone[1] in looped:
            i = [i for i, c in enumerate(orders[scope]) if c == "-"][int(alone[2])]
            by_path[f"{scope}/{alone[1]}_{i}/{alone[3]}"] = x
        else:
            by_path[path] = x
    return by_path


def gradient(network):
    """params -> output, and the gradient of its mean square."""

    def loss(params):
        out = network.apply({"params": params}, Z, jnp.zeros(1))
        return jnp.square(out).mean(), out

    return jax.jit(jax.grad(loss, has_aux=True))


@pytest.mark.parametrize(
    ("kind", "remat"),
    [("unet", nn.RematLayer()), ("super-resolution", nn.RematLevel()), ("latent", None)],
    ids=str,
)
def test_outputs_and_gradients_equal_those_of_unrolled_blocks(kind, remat):
    orders = KINDS[kind][-1]
    looped, plain = (network(kind, scan, remat) for scan in (nn.ScanBlocks(), None))
    params = arbitrary(shapes(looped))
    flat = unrolled(params, orders)
    like = shapes(plain)
    assert flat.keys() == leaves(like).keys()
    same = jax.tree.unflatten(jax.tree.structure(like), [flat[path] for path in leaves(like)])

    gradients, out = jax.device_get(gradient(looped)(params))
    expected, expected_out = jax.device_get(gradient(plain)(same))
    np.testing.assert_allclose(out, expected_out, atol=1e-5 * float(np.abs(expected_out).max()))
    expected, gradients = leaves(expected), unrolled(gradients, orders)
    largest = max(float(np.abs(g).max()) for g in expected.values())
    for path, g in expected.items():
        size = max(float(np.abs(g).max()), largest / 1000)
        np.testing.assert_allclose(gradients[path] / size, g / size, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_than_min_blocks_are_unrolled(kind):
    scans = (nn.ScanBlocks(min_blocks=3), None, nn.ScanBlocks())
    names = [set(leaves(shapes(network(kind, scan)))) for scan in scans]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("kind", ["unet", "super-resolution"])
def test_the_number_of_blocks_does_not_change_the_size_of_the_program(kind):
    def convolutions(blocks):
        model = network(kind, nn.ScanBlocks(), nn.RematLayer(), blocks)
        text = gradient(model).lower(shapes(model)).as_text()
        return text.count("stablehlo.convolution")

    assert convolutions(3) == convolutions(4)


def test_every_turn_draws_its_own_dropout():
    class Noise(linen.Module):
        @linen.compact
        def __call__(self, h, emb, cond, train, skips):
            return linen.Dropout(0.5, deterministic=not train)(jnp.ones_like(h)), ()

    class Loop(linen.Module):
        @linen.compact
        def __call__(self, h):
            return nn.scan_blocks(Noise(), h, h[0, 0], None, True, (None, None))[1]

    rngs = {"dropout": jax.random.key(0)}
    first, second = Loop().apply({}, jnp.ones((1, 1, 1, 1, 64)), rngs=rngs)
    assert float(jnp.abs(first - second).max()) > 0


def test_a_loop_of_one_block_is_refused():
    with pytest.raises(ValueError, match="min_blocks is 1; the least is 2"):
        nn.ScanBlocks(min_blocks=1)
