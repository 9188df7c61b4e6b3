"""With one key per batch element, an element's draws depend on its own key alone."""

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
    def sample(seeds):
        noise_keys, keys = diffusion.split(jax.vmap(jax.random.key)(seeds))
        z = PROCESS.prior_sample(noise(noise_keys, (len(seeds), 3, 2, 2, 1)))
        return sampler(keys, lambda z, _: 0.5 * z, z, PROCESS)

    batch = np.asarray(sample(np.array([3, 5, 8])))
    np.testing.assert_allclose(batch[1:2], sample(np.array([5])), rtol=1e-6)
    assert np.abs(np.diff(batch, axis=0)).min() > 0
