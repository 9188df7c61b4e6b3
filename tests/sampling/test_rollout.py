"""Long videos: blocks on a canvas, and a model that completes partly known clips."""

import dataclasses
import tracemalloc
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import several

from vdm_jax import data, diffusion, parallel, sampling
from vdm_jax.models import Conditioning
from vdm_jax.sampling import trained_model

KEY = jax.random.key(3)


def count_up(key, cond, known, lowres=None):
    """A model whose pixels are 7 in the first frame, and one more in every next frame."""
    x, mask = np.round((known.x + 1) * 127.5), np.asarray(known.mask[0])
    if not mask.any():
        brightness = 7 + np.arange(x.shape[1], dtype=np.uint8).reshape(1, -1, 1, 1, 1)
        return np.broadcast_to(brightness, x.shape)
    first = int(np.flatnonzero(mask)[0])
    frames = x[:, first : first + 1] + np.arange(-first, x.shape[1] - first).reshape(1, -1, 1, 1, 1)
    return np.where(mask.reshape(1, -1, 1, 1, 1), x, frames).astype(np.uint8)


def test_every_block_continues_its_known_frames():
    canvas = sampling.Canvas.blank((2, 23, 1, 1, 1))
    sampling.rollout(count_up, sampling.extension(23, 8, 3), canvas, KEY, Conditioning())
    np.testing.assert_array_equal(np.ravel(canvas.frames[1]), 7 + np.arange(23))


def test_keyframes_and_the_frames_between_share_a_canvas():
    coarse, fine = sampling.hierarchical(17, 5, 4, 1)
    canvas = sampling.Canvas.blank((1, 17, 1, 1, 1))
    sampling.rollout(count_up, coarse, canvas, KEY, Conditioning())
    np.testing.assert_array_equal(np.ravel(canvas.frames)[::4], 7 + np.arange(5))
    canvas.done = 0
    sampling.rollout(count_up, fine, canvas, KEY, Conditioning())
    np.testing.assert_array_equal(np.ravel(canvas.frames)[::4], 7 + np.arange(5))
    assert np.ravel(canvas.frames)[1] == 8


class Stopped(Exception):
    pass


def random(key, cond, known, lowres=None):
    """A model that keeps the known frames and fills the others with noise of its key."""
    noise = np.asarray(jax.random.randint(key, known.x.shape, 0, 256)).astype(np.uint8)
    video = np.round((known.x + 1) * 127.5).astype(np.uint8)
    return np.where(known.mask.reshape(*known.mask.shape, 1, 1, 1), video, noise)


def test_a_resumed_rollout_equals_an_uninterrupted_one(tmp_path):
    plan, shape = sampling.extension(20, 4, 2), (2, 20, 2, 2, 3)
    whole = sampling.Canvas.blank(shape)
    sampling.rollout(random, plan, whole, KEY, Conditioning())

    calls = []

    def stopping(*args):
        calls.append(1)
        if len(calls) == 4:
            raise Stopped
        return random(*args)

    with pytest.raises(Stopped):
        canvas = sampling.Canvas.open(tmp_path, shape, {"seed": 3})
        sampling.rollout(stopping, plan, canvas, KEY, Conditioning())
    canvas = sampling.Canvas.open(tmp_path, shape, {"seed": 3})
    assert canvas.done == 3
    sampling.rollout(random, plan, canvas, KEY, Conditioning())
    np.testing.assert_array_equal(canvas.frames, whole.frames)
    with pytest.raises(ValueError, match="of another command"):
        sampling.Canvas.open(tmp_path, shape, {"seed": 4})


def test_memory_does_not_grow_with_length(tmp_path):
    def peak(length):
        plan = sampling.extension(length, 8, 4)
        canvas = sampling.Canvas.open(tmp_path / str(length), (1, length, 32, 32, 3), length)
        tracemalloc.start()
        sampling.rollout(count_up, plan, canvas, KEY, Conditioning())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak(16)
    short, long = peak(24), peak(400)
    assert long - short < 400 * 32 * 32 * 3 / 4


def test_a_canvas_of_another_length_is_refused():
    with pytest.raises(ValueError, match="20 frames does not fit a canvas of 19"):
        sampling.rollout(
            random, sampling.extension(20, 4, 2), sampling.Canvas.blank((1, 19, 1, 1, 1)),
            KEY, Conditioning(),
        )  # fmt: skip


def test_low_resolution_frames_are_masked_by_block():
    video = np.arange(3, dtype=np.uint8).reshape(1, 3, 1, 1, 1) * 100
    low = sampling.LowResFrames(video, (0, 4, 8)).of_block((3, 4, 5, 8))
    assert low.mask.tolist() == [[False, True, False, True]]
    np.testing.assert_allclose(
        np.ravel(low.value), [0, 100 / 127.5 - 1, 0, 200 / 127.5 - 1], atol=1e-6
    )


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """An exact denoiser of independent pixels whose frames have correlation rho^|i - j|."""

    process: diffusion.Process = diffusion.Process(diffusion.Cosine())
    rho: float = 0.9
    lowres: None = None

    def init(self, key, batch):
        return {}, {}

    def loss(self, params, frozen, key, batch):
        raise NotImplementedError

    def denoiser(self, params, frozen, cond):
        def denoiser(z, logsnr):
            steps = np.abs(np.subtract.outer(*[np.arange(z.shape[1])] * 2))
            power = 0.05 * jnp.asarray(self.rho**steps, z.dtype)
            alpha, sigma = self.process.alpha_sigma(logsnr)
            noisy = alpha**2 * power + sigma**2 * jnp.eye(len(power), dtype=z.dtype)
            gain = alpha * power @ jnp.linalg.inv(noisy)
            return jnp.moveaxis(jnp.tensordot(gain, z, axes=([1], [1])), 0, 1)

        return denoiser


@pytest.fixture(scope="module")
def trained():
    """A model of 4 frames of 8x8 pixels."""
    experiment = SimpleNamespace(
        task=Gaussian(), data=data.MovingShapes(frames=4, size=8), mesh=parallel.Mesh()
    )
    generator = sampling.Generator(sampler=diffusion.Ancestral(steps=8), batch=8)
    return generator.trained_model(experiment, {}, {})


COND = Conditioning(label=jnp.zeros(3, int))


def clips(count=3, seed=0, frames=4):
    shape = (count, frames, 8, 8, 3)
    return np.random.default_rng(seed).integers(100, 156, shape, dtype=np.uint8)


def test_known_frames_are_bit_identical_in_the_samples(trained):
    video, mask = clips(), np.array([[True, False, True, False], [False] * 4, [True] * 4])
    known = diffusion.KnownPixels(jnp.asarray(data.to_float(video)), jnp.asarray(mask))
    samples = trained.complete(KEY, COND, known)
    assert samples.dtype == np.uint8
    np.testing.assert_array_equal(samples[mask], video[mask])
    assert (samples[~mask] != video[~mask]).mean() > 0.9
    plain = trained.generate(KEY, COND, 3)
    assert np.abs(samples[1].astype(int) - plain[1]).max() <= 1, "nothing known is a plain sample"


def test_samples_downsample_to_the_known_low_resolution_frames(trained):
    lowres = diffusion.LowResolution(
        jnp.full((3, 4, 2, 2, 3), 0.25), jnp.asarray([[True, True, False, True]] * 3)
    )
    nothing = diffusion.KnownPixels(jnp.zeros((3, 4, 8, 8, 3)), jnp.zeros((3, 4), bool))

    def distance(correction):
        samples = trained.complete(KEY, COND, nothing, lowres, correction=correction)
        return float(jnp.abs(lowres(jnp.asarray(data.to_float(samples))) - lowres.value).max())

    assert distance(diffusion.PseudoInverseGuidance(8)) < 1 / 127.5 < distance(None)


def test_extension_completes_block_after_block_with_one_program(trained):
    video = clips()
    compiled = trained_model._complete_batch.jitted._cache_size()
    long = trained.extend(KEY, COND, video, 11, 2)
    assert long.shape == (3, 11, 8, 8, 3)
    np.testing.assert_array_equal(long[:, :4], video)
    assert trained_model._complete_batch.jitted._cache_size() <= compiled + 1
    ends = np.concatenate([long[:, 2:4], np.zeros_like(video[:, :2])], axis=1)
    mask = jnp.tile(jnp.asarray([True, True, False, False]), (3, 1))
    known = diffusion.KnownPixels(jnp.asarray(data.to_float(ends)), mask)
    again = trained.complete(jax.random.fold_in(KEY, 0), COND, known)
    np.testing.assert_array_equal(again[:, 2:], long[:, 4:6])


def test_the_seam_of_an_exact_model_is_no_larger_than_other_differences(trained, monkeypatch):
    """With an exact correction, the first new frame follows the last known one like any other."""
    shared = trained_model._complete_batch
    fast = jax.jit(shared.function, **shared.options, compiler_options=several.FAST)
    monkeypatch.setattr(trained_model, "_complete_batch", fast)
    steps = np.subtract.outer(np.arange(4), np.arange(4))
    root = np.linalg.cholesky(0.05 * 0.9 ** np.abs(steps))
    noise = np.random.default_rng(0).standard_normal((4, 32, 8, 8, 3))
    x = np.moveaxis(np.tensordot(root, noise, axes=1), 0, 1)
    video = np.array(data.to_uint8(jnp.asarray(x)))
    cond = Conditioning(label=jnp.zeros(32, int))

    def seam(correction):
        sampler = diffusion.Ancestral(steps=64)
        model = dataclasses.replace(
            trained, generator=dataclasses.replace(trained.generator, sampler=sampler, batch=32)
        )
        long = model.extend(KEY, cond, video, 6, 2, correction=correction).astype(float)
        return np.square(np.diff(long[:, 3:5], axis=1)).mean()

    inside = np.square(np.diff(video.astype(float), axis=1)).mean()
    assert seam(diffusion.PseudoInverseGuidance(4)) < 1.05 * inside
    assert seam(None) > 1.5 * inside
