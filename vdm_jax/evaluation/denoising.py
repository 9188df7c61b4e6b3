"""The denoising error as a function of the noise level."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float

from vdm_jax import diffusion, parallel
from vdm_jax.data import to_float
from vdm_jax.evaluation.baselines import Constant, Spectrum, Wiener
from vdm_jax.evaluation.elements import encode, up_to
from vdm_jax.interfaces import DenoisingModel, Results
from vdm_jax.types import Denoiser, Key, Video


@dataclass(frozen=True)
class DenoisingError:
    """E|x - x_hat|^2 per value on held-out clips, x in [-1, 1], in bands of log-SNR.

    Compares three denoisers on the same noisy clips: the `model`, and the `wiener` filter and the
    `constant` mean, both fitted on training clips. Bands have equal width and are named by their
    centers.

    clips: number of held-out clips, or all if there are fewer.
    train_clips: number of training clips for the baselines, or all if there are fewer.
    bands: number of bands; the log-SNRs of a band are evenly spaced over the clips.
    low: the lowest log-SNR.
    high: the highest log-SNR.
    batch: clips at a time.
    every: training steps between two evaluations; None is at the end only.
    """

    clips: int = 64
    train_clips: int = 512
    bands: int = 10
    low: float = -10.0
    high: float = 10.0
    batch: int = 64
    every: int | None = None

    @property
    def name(self) -> str:
        return "denoising"

    def __call__(self, key: Key, model: DenoisingModel) -> Results:
        train = up_to(model.data, "train", self.train_clips)
        spectrum = Spectrum.of(to_float(e["video"]) for e in train)
        fixed = {"wiener": Wiener(spectrum, model.process), "constant": Constant(spectrum)}
        held_out = up_to(model.data, "held_out", self.clips)
        count = len(held_out)
        logsnr = self.logsnrs(count)
        sums = {name: np.zeros(self.bands) for name in ("model", *fixed)}
        # Compiled anew in each call, so that the program does not keep the parameters alive.
        compiled = parallel.Jit(lambda denoiser, z, logsnr: denoiser(z, logsnr))
        for start in range(0, count, self.batch):
            chosen = held_out[start : start + self.batch]
            x = jnp.asarray(to_float(np.stack([e["video"] for e in chosen])))
            denoiser = model.denoiser(encode(model, chosen))
            denoiser = denoiser if isinstance(denoiser, Partial) else Partial(denoiser)
            denoisers = {"model": Partial(compiled, denoiser), **fixed}
            for band in range(self.bands):
                noise = jax.random.fold_in(jax.random.fold_in(key, start), band)
                levels = jnp.asarray(logsnr[band, start : start + len(chosen)], jnp.float32)
                errors = denoising_errors(noise, model.process, denoisers, x, levels)
                for name, error in errors.items():
                    sums[name][band] += np.asarray(error, np.float64).sum()
        width = (self.high - self.low) / self.bands
        centers = [self.low + width * (band + 0.5) for band in range(self.bands)]
        return {
            name: {
                f"{center:g}": float(total / count)
                for center, total in zip(centers, totals, strict=True)
            }
            for name, totals in sums.items()
        }

    def logsnrs(self, count: int) -> Float[np.ndarray, "bands count"]:
        """One log-SNR per band and clip, evenly spaced inside the band."""
        grid = (np.arange(self.bands * count) + 0.5) / (self.bands * count)
        return (self.low + (self.high - self.low) * grid).reshape(self.bands, count)


def denoising_errors(
    key: Key,
    process: diffusion.Process,
    denoisers: dict[str, Denoiser],
    x: Video,
    logsnr: Float[Array, "b"],
) -> dict[str, Float[Array, "b"]]:
    """|x - x_hat|^2 per value of each denoiser on the same z = alpha x + sigma eps."""
    z = process.diffuse(x, logsnr, jax.random.normal(key, x.shape, x.dtype))
    return {
        name: jnp.square(x - denoiser(z, logsnr)).mean(axis=(1, 2, 3, 4))
        for name, denoiser in denoisers.items()
    }
