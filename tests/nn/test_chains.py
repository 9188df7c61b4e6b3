"""A loop over equal blocks is those blocks one after the other."""

import re

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import models, nn

Z = np.random.default_rng(0).normal(size=(1, 2, 4, 4, 3)).astype(np.float32)
KINDS = {  # a level, its mixers, and of each part which of its blocks are in the loop
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


def network(kind, scan, remat=nn.Never(), blocks=2):
    level, mixers, _ = KINDS[kind]
    levels = tuple(level(w, mixers, blocks, remat=remat, scan=scan) for w in (1, 2))
    # Two channels a group: of one, the gradient of a bias before a norm is rounding alone.
    return models.UNet(64, levels, nn.Embedding(width=16, layers=1))


def shapes(network):
    return jax.eval_shape(network.init, jax.random.key(0), Z, jnp.zeros(1))["params"]


def arbitrary(shapes):
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: np.float32(0.2 * rng.normal(size=x.shape)), shapes)


def leaves(tree):
    found = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in found}


def written_out(params, orders):
    """By path, the parameters of a network with loops as those of the same without."""
    found, looped = {}, {p.split("/")[0] + re.sub(r".*Loop_0/(\w+)_\d+/.*", r"\1", p)
                         for p in leaves(params) if "Loop_0" in p}  # fmt: skip
    for path, x in leaves(params).items():
        part, _, rest = path.partition("/")
        loop = re.fullmatch(r"Loop_0/(\w+)_0/(.*)", rest)
        alone = re.fullmatch(r"(\w+)_(\d+)/(.*)", rest)
        if loop:
            turns = [i for i, c in enumerate(orders[part]) if c == "L"]
            for i, turn in zip(turns, x, strict=True):
                found[f"{part}/{loop[1]}_{i}/{loop[2]}"] = turn
        elif alone and part + alone[1] in looped:
            i = [i for i, c in enumerate(orders[part]) if c == "-"][int(alone[2])]
            found[f"{part}/{alone[1]}_{i}/{alone[3]}"] = x
        else:
            found[path] = x
    return found


def gradient(network):
    """params -> output, and the gradient of its mean square."""

    def loss(params):
        out = network.apply({"params": params}, Z, jnp.zeros(1))
        return jnp.square(out).mean(), out

    return jax.jit(jax.grad(loss, has_aux=True))


@pytest.mark.parametrize(
    ("kind", "remat"),
    [("unet", nn.RematLayer()), ("super-resolution", nn.RematLevel()), ("latent", nn.Never())],
    ids=lambda value: str(value),
)
def test_outputs_and_gradients_are_those_of_blocks_written_out(kind, remat):
    orders = KINDS[kind][-1]
    looped, plain = (network(kind, how, remat) for how in (nn.ScanBlocks(), nn.Unrolled()))
    params = arbitrary(shapes(looped))
    flat = written_out(params, orders)
    like = shapes(plain)
    assert flat.keys() == leaves(like).keys()
    same = jax.tree.unflatten(jax.tree.structure(like), [flat[path] for path in leaves(like)])

    found, out = jax.device_get(gradient(looped)(params))
    expected, wanted = jax.device_get(gradient(plain)(same))
    np.testing.assert_allclose(out, wanted, atol=1e-5 * float(np.abs(wanted).max()))
    expected, found = leaves(expected), written_out(found, orders)
    largest = max(float(np.abs(g).max()) for g in expected.values())
    for path, g in expected.items():
        size = max(float(np.abs(g).max()), largest / 1000)
        np.testing.assert_allclose(found[path] / size, g / size, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_blocks_than_are_worth_a_loop_are_written_out(kind):
    few, plain, loop = nn.ScanBlocks(min_blocks=3), nn.Unrolled(), nn.ScanBlocks()
    names = [set(leaves(shapes(network(kind, how)))) for how in (few, plain, loop)]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("kind", ["unet", "super-resolution"])
def test_a_program_is_as_long_however_many_blocks_there_are(kind):
    def convolutions(blocks):
        model = network(kind, nn.ScanBlocks(), nn.RematLayer(), blocks)
        text = gradient(model).lower(shapes(model)).as_text()
        return text.count("stablehlo.convolution")

    assert convolutions(3) == convolutions(4)


def test_every_turn_has_its_own_chance():
    class Noise(linen.Module):
        @linen.compact
        def __call__(self, h):
            def step(owner, counts, h, x):
                return linen.Dropout(0.5, deterministic=False)(jnp.ones_like(h))

            return nn.ScanBlocks()(self, step, 64, h, (None, None))[1]

    first, second = Noise().apply(
        {}, jnp.ones((1, 1, 1, 1, 64)), rngs={"dropout": jax.random.key(0)}
    )
    assert float(jnp.abs(first - second).max()) > 0
