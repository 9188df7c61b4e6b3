"""Samples of a trained model: seeds, counts, batches and conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from vdm_jax import data, diffusion, sampling
from vdm_jax.models import Conditioning


@pytest.fixture(scope="module")
def trained():
    """A tiny model with random parameters, also in the last layer, and ancestral sampling."""
    words = data.WordTokenizer(("red", "blue"), length=2)
    experiment = tiny.denoising(
        loader=data.Loader(batch=8, text=words),
    )
    shapes = experiment.loader.shapes(experiment.data)
    batch = {k: jnp.zeros(s.shape, s.dtype) for k, s in shapes.items()}
    params, frozen = jax.jit(experiment.task.init)(jax.random.key(0), batch)
    params["output"]["kernel"] = 0.3 * jax.random.normal(
        jax.random.key(1), params["output"]["kernel"].shape
    )
    generator = sampling.Generator(sampler=diffusion.Ancestral(steps=3), batch=16)
    return generator.trained_model(experiment, params, frozen)


def test_a_clip_depends_on_its_seed_and_number_not_on_the_batch(trained):
    key = jax.random.key(3)
    twenty = trained.generate(key, Conditioning(label=jnp.zeros(20, int)), 20)
    five = trained.generate(key, Conditioning(label=jnp.zeros(5, int)), 5)
    assert twenty.shape == (20, 2, 8, 8, 3) and twenty.dtype == np.uint8
    assert np.abs(twenty[:5].astype(int) - five).max() <= 1
    assert len({clip.tobytes() for clip in twenty}) == 20
    other = trained.generate(jax.random.key(4), Conditioning(label=jnp.zeros(5, int)), 5)
    assert np.abs(five.astype(int) - other).mean() > 1


def test_captions_and_labels_become_conditions(trained):
    cond = trained.encode(["red", ""], [4, -1])
    assert cond.tokens.tolist() == [[1, 0], [0, 0]]
    assert cond.text_mask.tolist() == [[True, False], [False, False]]
    assert cond.label.tolist() == [4, -1]


def test_the_denoiser_is_one_program_for_all_conditions(trained):
    traces = []

    @jax.jit
    def run(denoiser, z, logsnr):
        traces.append(1)
        return denoiser(z, logsnr)

    z, logsnr = jnp.zeros((2, 2, 8, 8, 3)), jnp.zeros(2)
    for caption in ("red", "blue"):
        run(trained.denoiser(trained.encode([caption] * 2, [0, 0])), z, logsnr)
    assert len(traces) == 1
