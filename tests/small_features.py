"""A feature network that compiles quickly, and clips for it."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from vdm_jax import models
from vdm_jax.metrics import HalfPixel, NetworkFeatures, RandomWeights, Rescale


class Outputs(NamedTuple):
    pooled: jax.Array
    logits: jax.Array


class Small(nn.Module):
    """One convolution over space, and time if there is any, its mean, and logits of the mean."""

    width: int = 6

    @nn.compact
    def __call__(self, x):
        h = nn.relu(nn.Conv(self.width, (3,) * (x.ndim - 2), name="convolution")(x))
        pooled = h.mean(axis=tuple(range(1, x.ndim - 1)))
        return Outputs(pooled, nn.Dense(4, name="logits")(pooled))


class Trunk(models.AlexNet):
    """A trunk of LPIPS with one convolution and one output."""

    @nn.compact
    def __call__(self, frames):
        return (nn.relu(nn.Conv(3, (4, 4), strides=4)(frames)),)


@dataclass(frozen=True)
class Noise:
    """Clips of noise, each of its own mean brightness."""

    count: int
    frames: int = 4
    size: int = 8
    seed: int = 0
    other: tuple[tuple[int, int], ...] = ()
    """(index, frames): clips of another length."""

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int):
        rng = np.random.default_rng((self.seed, index))
        shape = (dict(self.other).get(index, self.frames), self.size, self.size, 3)
        video = rng.normal(rng.uniform(60, 200), 40, shape)
        return {"video": np.clip(video, 0, 255).astype(np.uint8), "key": f"noise {index}"}


def small(**changes) -> NetworkFeatures:
    fields = {
        "title": "small",
        "network": Small(),
        "weights": RandomWeights(3),
        "pixels": (HalfPixel(6), Rescale(127.5, -1.0)),
        "output": "pooled",
        "batch": 1,
    }
    return NetworkFeatures(**(fields | changes))


def videos(count: int, **changes) -> np.ndarray:
    clips = Noise(count, **changes)
    return np.stack([clips[i]["video"] for i in range(count)])


def ones(count: int) -> np.ndarray:
    return np.asarray(jnp.ones((count, 4, 8, 8, 3)))
