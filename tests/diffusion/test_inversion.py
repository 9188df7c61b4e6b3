"""Inversion, segments of grids and trajectories, against the whole run and against diffusers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler

from vdm_jax import diffusion
from vdm_jax.diffusion import (
    DDIM,
    DDIMInversion,
    DiscreteBetas,
    Eps,
    GridSegment,
    Leading,
    Process,
    ReversedGrid,
)

BETAS = DiscreteBetas(beta_start=0.00085, beta_end=0.012, steps=1000, power=2.0)
PROCESS = Process(BETAS, parameterization=Eps())
KEY = jax.random.key(0)
Z = jax.random.normal(KEY, (1, 2, 3, 3, 2))


def network(z, logsnr):
    """A smooth noise prediction that depends on z and on the level."""
    return jnp.tanh(z) * 0.5 + 0.01 * jnp.reshape(logsnr, (-1, 1, 1, 1, 1))


DENOISER = diffusion.from_network(network, PROCESS)


def test_inversion_equals_diffusers():
    """From step 0, calls at steps 1, 21, ..., 981, each on the z of the level before."""
    scheduler = DDIMInverseScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    scheduler.set_timesteps(50)
    z = torch.tensor(np.asarray(Z))
    for step in scheduler.timesteps:
        logsnr = BETAS((step.item() + 1) / 1000)
        eps = torch.tensor(np.asarray(network(jnp.asarray(z.numpy()), logsnr)))
        z = scheduler.step(eps, step, z).prev_sample
    sampler = DDIMInversion(50, ReversedGrid(Leading()))
    found = jax.jit(lambda z: sampler(KEY, DENOISER, z, PROCESS, start=0.001, stop=1.0))(Z)
    np.testing.assert_allclose(found, z.numpy(), atol=2e-5)


def test_two_segments_of_a_grid_equal_the_whole_run():
    whole = DDIM(8, grid=Leading())(KEY, DENOISER, Z, PROCESS)
    first = DDIM(5, grid=GridSegment(Leading(), total=8))
    last = DDIM(3, grid=GridSegment(Leading(), total=8, first=5))
    z = first(KEY, DENOISER, Z, PROCESS)
    np.testing.assert_allclose(last(KEY, DENOISER, z, PROCESS), whole, atol=1e-6)
    with pytest.raises(ValueError, match=r"steps 6 \.\. 9 are not within a grid of 8"):
        DDIM(3, grid=GridSegment(Leading(), 8, first=6))(KEY, DENOISER, Z, PROCESS)


def test_a_trajectory_holds_the_z_of_every_step():
    sampler = DDIM(4)
    result, visited = jax.jit(lambda z: sampler.trajectory(KEY, DENOISER, z, PROCESS))(Z)
    np.testing.assert_array_equal(visited[0], Z)
    whole = jax.jit(lambda z: sampler(KEY, DENOISER, z, PROCESS))(Z)
    np.testing.assert_array_equal(result, whole)
    z = jax.jit(lambda z: DDIM(1)(KEY, DENOISER, z, PROCESS, start=1.0, stop=0.75))(Z)
    np.testing.assert_allclose(visited[1], z, atol=1e-6)


def test_a_grid_beyond_the_schedule_is_refused():
    with pytest.raises(ValueError, match=r"1000 steps has times from 0 to 1\.001"):
        DDIM(1000, grid=Leading())(KEY, DENOISER, Z, PROCESS)
