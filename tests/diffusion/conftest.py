"""Fixtures: float64, every marginal, and random draws as unit vectors, for exact variances."""

import counted
import jax
import jax.numpy as jnp
import pytest

from vdm_jax import diffusion


@pytest.fixture(autouse=True, scope="package")
def quick_compilation():
    """For one-pixel clips, optimizing a program takes longer than running it."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def float64():
    """Closed forms are checked in double precision."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(
    params=[
        diffusion.VariancePreserving(),
        diffusion.VarianceExploding(),
        diffusion.LinearInterpolant(),
    ],
    ids=lambda marginal: type(marginal).__name__,
)
def marginal(request):
    return request.param


@pytest.fixture
def basis_noise(monkeypatch):
    """Draw i of a sampler becomes the unit vector e_{i+1} along the channel axis.

    With a linear denoiser and e_0 as the first z, the result holds the coefficient of every draw,
    and the sum of its squares is the exact variance.
    """

    def normal(key, shape=(), dtype=None):
        place = 1 + counted.number(key)
        return jnp.broadcast_to(jax.nn.one_hot(place, shape[-1], dtype=dtype), shape)

    monkeypatch.setattr(jax.random, "fold_in", lambda key, i: counted.key(i))
    monkeypatch.setattr(jax.random, "split", counted.split)
    monkeypatch.setattr(jax.random, "normal", normal)
