"""Videos with jointly Gaussian frames (or pixels), sampled given some of them, exactly.

The denoiser is linear, so a sample is a linear function of the known values and of every random
draw. `probed` gives each of these its own channel: the result holds the exact mean and variance.
"""

import contextlib
import math
from unittest import mock

import counted
import jax
import jax.numpy as jnp
import numpy as np
import several

from vdm_jax import diffusion

PROCESS = diffusion.Process(diffusion.Cosine())


def ar1(frames, rho):
    """Covariance rho^|i - j|; of two frames, the matrix of correlation rho."""
    return rho ** np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))


def gaussian(covariance, axis, process=PROCESS):
    """E[x | z] of x ~ N(0, covariance) along one axis of a video, independent along the others."""
    covariance = jnp.asarray(covariance)

    def denoiser(z, logsnr):
        alpha, sigma = process.alpha_sigma(logsnr)
        noise = sigma**2 * jnp.eye(len(covariance), dtype=z.dtype)
        gain = alpha * covariance @ jnp.linalg.inv(alpha**2 * covariance + noise)
        return jnp.moveaxis(jnp.tensordot(gain, z, axes=([1], [axis])), 0, axis)

    return denoiser


def frames(values, channels=1):
    """A video of one pixel with these values, one per frame, in channel 0."""
    values = jnp.asarray(values, jnp.zeros(()).dtype).reshape(1, -1, 1, 1, 1)
    return values * jax.nn.one_hot(0, channels, dtype=values.dtype).reshape(1, 1, 1, 1, -1)


def first_known(count, total, channels=1):
    """`KnownPixels`: the first `count` of `total` frames are 1."""
    known = np.arange(total) < count
    return diffusion.KnownPixels(frames(known, channels), jnp.asarray(known[None]))


@contextlib.contextmanager
def probed(steps, width, process=PROCESS):
    """Draw i becomes a 1 in channel 2 + width i + (index of the pixel modulo width).

    A draw with a key folded from a logsnr gets the number of that logsnr's step.
    """

    def fold_in(key, number):
        if getattr(number, "dtype", None) == jnp.uint32:
            logsnr = jax.lax.bitcast_convert_type(number, jnp.float32)
            number = jnp.round(process.schedule.inverse(logsnr) * steps).astype(int)
        return counted.key(counted.number(key) + number)

    def normal(key, shape=(), dtype=None):
        pixels = jnp.arange(math.prod(shape[:4])).reshape(*shape[:4], 1) % width
        channels = jnp.arange(shape[-1]).reshape(1, 1, 1, 1, -1)
        one = channels == 2 + width * counted.number(key) + pixels
        return jnp.broadcast_to(one, shape).astype(dtype)

    with (
        mock.patch.object(jax.random, "fold_in", fold_in),
        mock.patch.object(jax.random, "split", counted.split),
        mock.patch.object(jax.random, "normal", normal),
    ):
        yield


NODES = 2**15 + 2
"""The number of nodes of the binary tree that `ForwardProcessNoise` draws from."""


def moments(sampler, known, correction, known_noise, covariance, process=PROCESS, width=1):
    """Mean and variance of every sampled frame, over all draws. At most `width` are unknown."""
    total = len(covariance)
    draws = sampler.steps * (2 if isinstance(sampler, diffusion.PredictorCorrector) else 1) + 1
    nodes = {
        diffusion.FixedNoise: 0,
        diffusion.IndependentNoise: sampler.steps,
        diffusion.ForwardProcessNoise: NODES,
    }
    channels = 2 + width * (draws + nodes[type(known_noise)] + 1)
    known = first_known(known, total, channels)
    with probed(sampler.steps, width, process):
        z = process.prior_sample(
            jax.random.normal(counted.key(draws - 1), (1, total, 1, 1, channels), float)
        )

        def run(z):
            denoiser = gaussian(covariance, 1, process)
            if correction is not None:
                denoiser = diffusion.reconstruction(denoiser, [known], correction, process)
            key = counted.key(draws)
            denoiser = diffusion.replacement(denoiser, known, known_noise, key, process)
            return sampler(counted.key(0), denoiser, z, process)

        x = np.asarray(jax.jit(run, compiler_options=several.FAST)(z))[0, :, 0, 0]
    return x[:, 0], np.square(x[:, 1:]).sum(axis=1)
