"""A tiny task and a tiny video model: small enough to compile in a blink, or in seconds."""

import dataclasses

import flax.linen as linen
import jax
import jax.numpy as jnp

from vdm_jax import data, diffusion, models, nn, sampling, training


@dataclasses.dataclass(frozen=True)
class Regression:
    """A task without diffusion: a linear map from noisy pixels to the label."""

    features: int = 64

    def init(self, key, batch):
        pixels = batch["video"][0].size
        weights = jax.random.normal(key, (pixels, self.features)) * 0.01
        return {"layer": {"weights": weights, "bias": jnp.zeros(self.features)}}, {}

    def loss(self, params, frozen, key, batch):
        x = batch["video"].reshape(len(batch["video"]), -1) / 255.0
        x = x + jax.random.normal(key, x.shape)
        out = x @ params["layer"]["weights"] + params["layer"]["bias"].reshape(1, -1)
        error = jnp.square(out.mean(axis=1) - batch["label"] / 100)
        return error.mean(), {"error": jnp.stack([error.sum(), jnp.float32(len(error))])}


class Filter(linen.Module):
    """The least of networks: a convolution of every frame."""

    @linen.compact
    def __call__(self, z, logsnr, cond=models.Conditioning(), *, train=False):
        return nn.convolution(z.shape[-1])(z)


def network(**changes) -> models.UNet:
    """One level with both kinds of attention."""
    mixers = (nn.SpatialAttention(head_dim=8), nn.TemporalAttention(head_dim=8))
    return models.UNet(
        **{
            "channels": 16,
            "levels": (models.Level(1, mixers, blocks=0),),
            "embedding": nn.Embedding(width=16, layers=1),
            **changes,
        }
    )


def experiment(**changes) -> training.Experiment:
    """An experiment on clips of 2 frames of 8x8 pixels."""
    return training.Experiment(
        **{
            "task": Regression(),
            "data": data.MovingShapes(frames=2, size=8, examples=64, held_out=16),
            "loader": data.Loader(batch=8),
            "optimizer": training.Adam(peak=1e-3, warmup=2, ema=0.9),
            "steps": 6,
            "log_every": 2,
            **changes,
        }
    )


def denoising(**changes) -> training.Experiment:
    """The same with a video model that can be sampled."""
    task = training.Denoising(
        model=network(),
        process=diffusion.Process(diffusion.Cosine()),
        weight=diffusion.TruncatedSNR(),
    )
    generator = sampling.Generator(sampler=diffusion.DDIM(steps=4), batch=8)
    return experiment(**{"task": task, "sampling": generator, **changes})
