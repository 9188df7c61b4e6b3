"""Networks that are exact denoisers of Gaussians, with parameters to train."""

import dataclasses

import jax
import jax.numpy as jnp

from vdm_jax import data, diffusion, training

PROCESS = diffusion.Process(diffusion.Cosine())
CALLS: list[int] = []


@dataclasses.dataclass(frozen=True)
class Exact:
    """v of E[x | z] for x ~ N(mean, 1/4), with mean 0 for clips without a label.

    With `use_weight` = 1 and the guidance weight w as an input, it equals guidance of weight w,
    which makes the mean w times larger.

    counted: whether every call appends to `CALLS`.
    """

    counted: bool = False

    def init(self, rngs, z, logsnr, cond):
        return {"params": {"mean": jnp.full((1, 1), 0.5), "use_weight": jnp.zeros((1, 1))}}

    def apply(self, variables, z, logsnr, cond, train=False, rngs=None):
        if self.counted:
            jax.debug.callback(lambda: CALLS.append(1))
        params = variables["params"]
        mean = params["mean"] * (cond.label >= 0).reshape(-1, 1)
        if cond.guidance is not None:
            mean = mean * (1 + params["use_weight"] * (cond.guidance.reshape(-1, 1) - 1))
        mean = diffusion.expand(mean, z)
        alpha, sigma = (diffusion.expand(a, z) for a in PROCESS.alpha_sigma(logsnr))
        x = mean + alpha / 4 / (alpha**2 / 4 + sigma**2) * (z - alpha * mean)
        return PROCESS.output(x, z, jnp.minimum(logsnr, 30.0))


@dataclasses.dataclass(frozen=True)
class OnePoint(Exact):
    """x_hat = the mean for any z: exact for data that are one point, in any number of steps."""

    def apply(self, variables, z, logsnr, cond, train=False, rngs=None):
        x = jnp.broadcast_to(diffusion.expand(variables["params"]["mean"], z), z.shape)
        return PROCESS.output(x, z, jnp.minimum(logsnr, 30.0))


def denoising(model=Exact()) -> training.Denoising:
    return training.Denoising(
        model, PROCESS, weight=diffusion.TruncatedSNR(), condition_dropout=0.0
    )


def batch(size: int = 8):
    """Clips of two frames of 4 x 4 pixels, half of them with a label."""
    random = jax.random.randint(jax.random.key(5), (size, 2, 4, 4, 3), 0, 256)
    return {"video": random.astype(jnp.uint8), "label": jnp.arange(size) % 2 - 1}


def experiment(**changes) -> training.Experiment:
    """A run on small clips."""
    return training.Experiment(
        **{
            "task": denoising(),
            "data": data.MovingShapes(frames=2, size=8, examples=64, held_out=16),
            "loader": data.Loader(batch=8),
            "optimizer": training.Adam(peak=0.02, warmup=0, decay=training.Linear(), ema=0.0),
            "steps": 3,
            "log_every": 1,
            **changes,
        }
    )
