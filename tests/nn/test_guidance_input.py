"""The guidance weight as an input of a network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from arbitrary import normal, parameters

from vdm_jax import nn
from vdm_jax.models import Conditioning

Z, LOGSNR = normal(2, 2, 4, 4, 3), jnp.asarray([0.5, -2.0])


def guided(weights):
    """Conditions with these guidance weights."""
    return Conditioning(guidance=jnp.asarray(weights))


def network(*inputs):
    return tiny.network(embedding=nn.Embedding(width=16, layers=1, inputs=(nn.LogSNR(), *inputs)))


def test_adding_the_input_keeps_the_outputs():
    """Bit for bit, at any weight, with the old parameters and the initial new ones."""
    before, after = network(), network(nn.Guidance())
    old = parameters(before, Z, LOGSNR)["params"]
    new = jax.jit(after.init)(jax.random.key(0), Z, LOGSNR, guided([1.0, 1.0]))["params"]
    added = new["embedding"]["Guidance_0"]
    grown = {**old, "embedding": {**old["embedding"], "Guidance_0": added}}
    assert jax.tree.structure(grown) == jax.tree.structure(new)
    np.testing.assert_array_equal(
        jax.jit(before.apply)({"params": old}, Z, LOGSNR),
        jax.jit(after.apply)({"params": grown}, Z, LOGSNR, guided([3.0, 7.0])),
    )


def test_every_batch_element_has_its_own_weight():
    module = network(nn.Guidance())
    variables = parameters(module, Z, LOGSNR, guided([1.0, 1.0]))
    one, other = (module.apply(variables, Z, LOGSNR, guided(w)) for w in ([2.0, 3.0], [2.0, 4.0]))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-5, atol=1e-6)
    assert np.abs(one[1] - other[1]).max() > 1e-3


def test_a_missing_weight_raises():
    with pytest.raises(ValueError, match=r"guidance weight as an input.*sampling\.Distilled"):
        network(nn.Guidance()).init(jax.random.key(0), Z, LOGSNR)


def test_cast_leaves_guidance_in_float32():
    cond = guided([1.003, 2.0]).cast(jnp.bfloat16)
    assert cond.guidance.dtype == jnp.float32
