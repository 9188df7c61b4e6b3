"""A row's randomness is its own."""

import jax
import numpy as np
import pytest

from vdm_jax import diffusion

PROCESS = diffusion.Process(diffusion.Cosine())


@pytest.mark.parametrize(
    "sampler",
    [
        diffusion.Ancestral(steps=4, gamma=0.3),
        diffusion.PredictorCorrector(steps=4),
        diffusion.Stochastic(steps=4),
        diffusion.Heun(steps=4, churn=2.0),
    ],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("noise", [diffusion.Mixed(1.0), diffusion.Progressive(2.0)])
def test_a_sample_does_not_depend_on_its_batch(sampler, noise):
    @jax.jit
    def sample(rows):
        keys = jax.vmap(jax.random.key)(rows)
        first, then = diffusion.split(keys)
        z = PROCESS.prior_sample(noise(first, (len(rows), 3, 2, 2, 1)))
        return sampler(then, lambda z, _: 0.5 * z, z, PROCESS)

    together = np.asarray(sample(np.array([3, 5, 8])))
    np.testing.assert_allclose(together[1:2], sample(np.array([5])), rtol=1e-6)
    assert np.abs(np.diff(together, axis=0)).min() > 0
