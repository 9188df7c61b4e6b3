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


def told(weights):
    return Conditioning(guidance=jnp.asarray(weights))


def network(*inputs):
    return tiny.network(embedding=nn.Embedding(width=16, layers=1, inputs=(nn.LogSNR(), *inputs)))


def test_a_network_that_is_given_this_input_starts_as_it_was():
    """The same parameters, and the new ones as they are made: bit for bit, at any weight."""
    before, after = network(), network(nn.Guidance())
    old = parameters(before, Z, LOGSNR)["params"]
    new = jax.jit(after.init)(jax.random.key(0), Z, LOGSNR, told([1.0, 1.0]))["params"]
    added = new["embedding"]["Guidance_0"]
    grown = {**old, "embedding": {**old["embedding"], "Guidance_0": added}}
    assert jax.tree.structure(grown) == jax.tree.structure(new)
    np.testing.assert_array_equal(
        jax.jit(before.apply)({"params": old}, Z, LOGSNR),
        jax.jit(after.apply)({"params": grown}, Z, LOGSNR, told([3.0, 7.0])),
    )


def test_every_row_has_a_weight_of_its_own():
    module = network(nn.Guidance())
    variables = parameters(module, Z, LOGSNR, told([1.0, 1.0]))
    one, other = (module.apply(variables, Z, LOGSNR, told(w)) for w in ([2.0, 3.0], [2.0, 4.0]))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-5, atol=1e-6)
    assert np.abs(one[1] - other[1]).max() > 1e-3


def test_a_network_that_has_to_be_told_says_so():
    with pytest.raises(ValueError, match=r"guidance weight as an input.*sampling\.Distilled"):
        network(nn.Guidance()).init(jax.random.key(0), Z, LOGSNR)


def test_guidance_stays_exact_where_a_network_computes_in_bfloat16():
    cond = told([1.003, 2.0]).cast(jnp.bfloat16)
    assert cond.guidance.dtype == jnp.float32
