"""The error of the denoiser itself, by noise level: what samples hide and losses average away."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float

from vdm_jax import diffusion, parallel
from vdm_jax.data import to_float
from vdm_jax.evaluation.baselines import Constant, Spectrum, Wiener
from vdm_jax.evaluation.subject import Model, Results, encode, up_to
from vdm_jax.types import Denoiser, Key, Video


@dataclass(frozen=True)
class DenoisingError:
    """E|x - x_hat|^2 per value on held-out clips, x in [-1, 1], in bands of log-SNR.

    Three denoisers see the same noisy clips, at most `clips` of them: the `model`, and fitted on at
    most `train_clips` training clips the `wiener` filter and the `constant` mean. Bands of equal
    width lie between `low` and `high`; each is named by its centre, and its log-SNRs are spread
    evenly over the clips.
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

    def __call__(self, key: Key, subject: Model) -> Results:
        train = up_to(subject.data, "train", self.train_clips)
        spectrum = Spectrum.of(to_float(e["video"]) for e in train)
        fixed = {"wiener": Wiener(spectrum, subject.process), "constant": Constant(spectrum)}
        held_out = up_to(subject.data, "held_out", self.clips)
        count = len(held_out)
        logsnr = self.logsnrs(count)
        sums = {name: np.zeros(self.bands) for name in ("model", *fixed)}
        # A compiled program of this call's own, so that it lets go of the parameters after it.
        compiled = parallel.Jit(lambda denoiser, z, logsnr: denoiser(z, logsnr))
        for start in range(0, count, self.batch):
            part = held_out[start : start + self.batch]
            x = jnp.asarray(to_float(np.stack([e["video"] for e in part])))
            model = subject.denoiser(encode(subject, part))
            model = model if isinstance(model, Partial) else Partial(model)
            denoisers = {"model": Partial(compiled, model), **fixed}
            for band in range(self.bands):
                noise = jax.random.fold_in(jax.random.fold_in(key, start), band)
                levels = jnp.asarray(logsnr[band, start : start + len(part)], jnp.float32)
                errors = denoising_errors(noise, subject.process, denoisers, x, levels)
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
        places = (np.arange(self.bands * count) + 0.5) / (self.bands * count)
        return (self.low + (self.high - self.low) * places).reshape(self.bands, count)


def denoising_errors(
    key: Key,
    process: diffusion.Process,
    denoisers: dict[str, Denoiser],
    x: Video,
    logsnr: Float[Array, "b"],
) -> dict[str, Float[Array, "b"]]:
    """|x - x_hat|^2 per value of each denoiser on one z = alpha x + sigma eps that all share."""
    z = process.diffuse(x, logsnr, jax.random.normal(key, x.shape, x.dtype))
    return {
        name: jnp.square(x - denoiser(z, logsnr)).mean(axis=(1, 2, 3, 4))
        for name, denoiser in denoisers.items()
    }
