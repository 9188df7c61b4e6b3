"""The low-resolution input of super-resolution models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from arbitrary import normal

from vdm_jax import data, diffusion, models, nn, training
from vdm_jax.models import Conditioning
from vdm_jax.training import LowRes

key = jax.random.key(0)
x = normal(2, 4, 8, 8, 3)


def test_every_nth_frame_is_kept_from_the_first_on():
    np.testing.assert_array_equal(LowRes(frames=2).downsample(x), x[:, ::2])
    np.testing.assert_array_equal(LowRes().downsample(x), x)


def test_downsampling_preserves_constants_and_means():
    half = LowRes(size=2)
    flat = jnp.full(x.shape, 0.7)
    np.testing.assert_allclose(half.downsample(flat), 0.7, rtol=1e-6)
    # Away from the borders, which truncate the filter, all pixels have equal total weight.
    inner = jnp.zeros_like(x).at[:, :, 3:5, 3:5].set(x[:, :, 3:5, 3:5])
    np.testing.assert_allclose(
        half.downsample(inner).mean(axis=(2, 3)), inner.mean(axis=(2, 3)), atol=1e-6
    )
    # Antialiasing: alternating pixels average to zero.
    stripes = jnp.broadcast_to((-1.0) ** jnp.arange(8).reshape(1, 1, 8, 1, 1), x.shape)
    np.testing.assert_allclose(half.downsample(stripes)[:, :, 1:-1], 0, atol=1e-6)


def test_upsampling_a_downsampled_constant_restores_it():
    low = LowRes(size=4).downsample(jnp.full(x.shape, -0.3))
    np.testing.assert_allclose(jax.image.resize(low, x.shape, "linear"), -0.3, rtol=1e-6)


@pytest.mark.parametrize(
    ("snr", "alpha", "sigma", "logsnr", "time"),
    [(3.0, 0.866025, 0.5, 1.098612, 1 / 3), (5.0, 0.912871, 0.408248, 1.609438, 0.267720)],
)
def test_noise_levels_of_known_signal_to_noise_ratios(snr, alpha, sigma, logsnr, time):
    lowres = LowRes()
    level = lowres.logsnr(snr)
    np.testing.assert_allclose(level, logsnr, atol=1e-6)
    np.testing.assert_allclose(lowres.augmentation.alpha_sigma(level), (alpha, sigma), atol=1e-6)
    np.testing.assert_allclose(lowres.augmentation.schedule.inverse(level), time, atol=2e-5)


def test_without_a_ratio_almost_no_noise_is_added():
    lowres = LowRes()
    cond = lowres.condition(key, Conditioning(), x, jnp.full(2, lowres.logsnr(None)))
    np.testing.assert_allclose(cond.lowres, x, atol=3e-4)


def test_the_noise_has_the_log_snr_that_the_model_takes():
    lowres = LowRes(size=2, levels=diffusion.Stratified())
    zeros = jnp.zeros((4, 4, 128, 128, 3))
    _, cond = lowres.draw(key, zeros, Conditioning())
    assert cond.lowres.shape == (4, 4, 64, 64, 3) and cond.lowres_logsnr.shape == (4,)
    variance = jnp.square(cond.lowres).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(variance, jax.nn.sigmoid(-cond.lowres_logsnr), rtol=0.05)
    assert not np.allclose(cond.lowres[:, 0], cond.lowres[:, 1])  # each frame has its own noise


def test_both_videos_are_cropped_at_the_same_place():
    ramp = jnp.arange(64.0).reshape(1, 1, 64, 1, 1) + 100 * jnp.arange(64.0).reshape(1, 1, 1, 64, 1)
    ramp = jnp.broadcast_to(ramp, (8, 2, 64, 64, 3))
    lowres = LowRes(size=4, crop=16, levels=diffusion.Discrete(1), augmentation=diffusion.Process(
        diffusion.Cosine(logsnr_min=39.0, logsnr_max=40.0)))  # fmt: skip
    crop, cond = jax.jit(lowres.draw)(key, ramp, Conditioning())
    crop, lowest = np.asarray(crop), np.asarray(cond.lowres)
    assert crop.shape == (8, 2, 16, 16, 3) and lowest.shape == (8, 2, 4, 4, 3)
    # Inside the clip, where the filter is complete, downsampling a ramp gives its local means.
    means = crop.reshape(8, 2, 4, 4, 4, 4, 3).mean(axis=(3, 5))
    inside = np.abs(means - lowest)[:, :, 1:-1, 1:-1]
    assert inside.max() < 1e-2 * 100 * 64
    assert np.median(inside) < 0.1
    corners = {(float(c[0, 0, 0, 0] % 100), float(c[0, 0, 0, 0] // 100)) for c in crop}
    assert len(corners) > 4 and all(row % 4 == 0 and col % 4 == 0 for row, col in corners)


def test_packed_images_have_no_low_resolution_frames_in_time():
    segments = jnp.array([[0, 0, 0, 0], [0, 1, 2, 3]])
    lowres = LowRes(frames=2)

    def draw(lowres):
        _, cond = jax.jit(lowres.draw)(key, x, Conditioning(segments=segments))
        return jax.tree.map(np.asarray, cond)

    cond = draw(lowres)
    assert cond.lowres.shape == (2, 2, 8, 8, 3) and cond.lowres_logsnr.shape == (2, 4)
    assert np.abs(cond.lowres[0]).min() > 0 and not cond.lowres[1].any()
    assert np.unique(cond.lowres_logsnr[0]).size == 1
    np.testing.assert_allclose(cond.lowres_logsnr[1], lowres.augmentation.schedule(jnp.ones(())))
    # Without a factor in time every image has its own low-resolution image.
    cond = draw(LowRes(size=2))
    assert np.unique(cond.lowres_logsnr[1]).size == 4 and cond.lowres[1].any()


def experiment(lowres: LowRes, **changes) -> training.Experiment:
    """A tiny super-resolution model of clips of 4 frames of 8x8 pixels."""
    network = tiny.network(
        embedding=nn.Embedding(width=16, layers=1, inputs=(nn.LogSNR(), nn.LowresLogSNR())),
        levels=(models.Level(1, (nn.TemporalConvolution(),), blocks=1),),
        outputs=3,
    )
    task = training.Denoising(
        model=models.SuperResolution(network),
        process=diffusion.Process(diffusion.Cosine()),
        weight=diffusion.SNRPlusOne(),
        lowres=lowres,
    )
    source = data.MovingShapes(frames=4, size=8, examples=64, held_out=16)
    return tiny.denoising(task=task, data=source, **changes)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loss_and_gradients_are_finite_without_float64(dtype):
    run = experiment(LowRes(frames=2, size=2))
    task = training.Denoising(run.task.model, run.task.process, lowres=run.task.lowres, dtype=dtype)
    batch = {"video": jnp.asarray(np.random.default_rng(0).integers(0, 256, (4, 4, 8, 8, 3)))}
    params, frozen = jax.jit(task.init)(key, batch)
    loss, grads = jax.jit(jax.value_and_grad(lambda p: task.loss(p, frozen, key, batch)[0]))(params)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
    jaxpr = str(jax.make_jaxpr(lambda p: task.loss(p, frozen, key, batch)[0])(params))
    assert "f64" not in jaxpr


def test_impossible_shapes_are_named():
    with pytest.raises(ValueError, match=r"8x8 pixels cannot be downsampled by frames=3"):
        LowRes(frames=3).downsample(x)
    with pytest.raises(ValueError, match="crop=16 is larger than the clips, of 8x8 pixels"):
        LowRes(size=2, crop=16).draw(key, x, Conditioning())
    with pytest.raises(ValueError, match="crop=10 must be a multiple of size=4"):
        LowRes(size=4, crop=10)
    with pytest.raises(ValueError, match="make them 1 or more"):
        LowRes(frames=0)
