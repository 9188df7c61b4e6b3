"""The loss of a denoiser: the weighted error of x_hat at random noise levels."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdm_jax import diffusion
from vdm_jax.data import to_float
from vdm_jax.interfaces import Batch, Network
from vdm_jax.models import Conditioning
from vdm_jax.training.lowres import LowRes
from vdm_jax.types import Denoiser, Key, LogSNR, Metrics, Params, Scalar, Video

BANDS = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)  # edges of the log-SNR bands of the loss


@dataclasses.dataclass(frozen=True)
class Denoising:
    """`E_{x, t, eps} [w(logsnr_t) ||x - x_hat(z_t, logsnr_t, cond)||^2]`, mean over pixels.

    The error is that of the network's output times the parameterization's gain,
    `||x - x_hat||^2 = gain(logsnr)^2 ||target - output||^2`, accurate in float32 at any noise
    level. Every clip has its own t. (Ho et al. 2022, eq. 2)

    model: the network.
    process: the diffusion process.
    times: the distribution of t.
    weight: w(logsnr).
    condition_dropout: the probability that a clip's conditions are dropped, for classifier-free
      guidance.
    lowres: the low-resolution input of a super-resolution model; None for other models.
    dtype: the type the network computes in; parameters, losses and log-SNRs stay float32.
    """

    model: Network
    process: diffusion.Process
    times: diffusion.Times = diffusion.Uniform()
    weight: diffusion.Weight = diffusion.SNR()
    condition_dropout: float = 0.1
    lowres: LowRes | None = None
    dtype: str = "float32"

    def __post_init__(self):
        diffusion.check(self.process.parameterization, self.weight)

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        x, cond = self.draw(key, batch)
        return self.model.init(key, x, jnp.zeros(self._logsnr_shape(x, cond)), cond)["params"], {}

    def read(self, batch: Batch) -> tuple[Video, Conditioning]:
        """The clips in [-1, 1] and the conditions of a batch."""
        return to_float(batch["video"]), Conditioning.of(batch)

    def draw(self, key: Key, batch: Batch) -> tuple[Video, Conditioning]:
        """The clips and conditions of a batch, with random low-resolution inputs and dropout."""
        x, cond = self.read(batch)
        if self.lowres is not None:
            x, cond = self.lowres.draw(jax.random.fold_in(key, 1), x, cond)
        return x, cond.drop(key, self.condition_dropout)

    def noise_levels(self, key: Key, x: Video, cond: Conditioning) -> LogSNR:
        """Random log-SNRs [b]; [b f], equal within a clip, for batch elements of several clips."""
        logsnr = self.times(key, self._logsnr_shape(x, cond), self.process.schedule)
        if cond.segments is None:
            return logsnr
        return jnp.take_along_axis(logsnr, cond.segments, axis=1)

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        key_t, key_eps, key_drop, key_dropout = jax.random.split(key, 4)
        x, cond = self.draw(key_drop, batch)
        logsnr = self.noise_levels(key_t, x, cond)
        z = self.process.diffuse(x, logsnr, jax.random.normal(key_eps, x.shape))
        return self.error(params, x, z, logsnr, cond, rngs={"dropout": key_dropout})

    def error(
        self,
        params: Params,
        x: Video,
        z: Video,
        logsnr: LogSNR,
        cond: Conditioning,
        rngs: dict[str, Key] | None = None,
    ) -> tuple[Scalar, Metrics]:
        """The weighted error of x_hat(z, logsnr, cond) against x. `rngs` turn on dropout."""
        output = self._network(params, self.process.input(z, logsnr), logsnr, cond, rngs=rngs)
        error = jnp.square(output - self.process.output(x, z, logsnr)).mean(axis=(2, 3, 4))  # b f
        if logsnr.ndim == 1:
            logsnr = jnp.repeat(logsnr[:, None], x.shape[1], axis=1)
        loss = self.weight(logsnr, self.process) * jnp.square(self.process.gain(logsnr)) * error
        return loss.mean(), {"loss_by_logsnr": sum_by_band(logsnr.ravel(), loss.ravel())}

    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        """The network as `(z, logsnr) -> x_hat` under these conditions."""

        def network(z: Video, logsnr: LogSNR) -> Video:
            logsnr = jnp.broadcast_to(logsnr, z.shape[:1]) if logsnr.ndim == 0 else logsnr
            return self._network(params, z, logsnr, cond)

        return diffusion.from_network(network, self.process)

    def _network(
        self,
        params: Params,
        z: Video,
        logsnr: LogSNR,
        cond: Conditioning,
        rngs: dict[str, Key] | None = None,
    ) -> Video:
        """The network's float32 output, computed in `dtype`; `rngs` turn on dropout."""
        params, z = (_cast(tree, jnp.dtype(self.dtype)) for tree in (params, z))
        cond = cond.cast(jnp.dtype(self.dtype))
        train = rngs is not None
        output = self.model.apply({"params": params}, z, logsnr, cond, train=train, rngs=rngs)
        return output.astype(jnp.float32)

    def _logsnr_shape(self, x: Video, cond: Conditioning) -> tuple[int, ...]:
        """b, or b f for packed clips: a batch element of f frames holds at most f clips."""
        return x.shape[:1] if cond.segments is None else x.shape[:2]


def sum_by_band(
    logsnr: Float[Array, "n"], losses: Float[Array, "n"]
) -> dict[str, Float[Array, "2"]]:
    """[sum, count] of the losses in each band between two neighboring `BANDS`."""
    low, high = jnp.asarray((-jnp.inf, *BANDS)), jnp.asarray((*BANDS, jnp.inf))
    member = (logsnr[None] > low[:, None]) & (logsnr[None] <= high[:, None])
    sums, counts = jnp.where(member, losses[None], 0).sum(axis=1), member.sum(axis=1)
    names = [f"below {BANDS[0]:g}", *(f"above {edge:g}" for edge in BANDS)]
    return {name: jnp.stack([sums[i], counts[i]]) for i, name in enumerate(names)}


def _cast(tree: Params, dtype: jnp.dtype) -> Params:
    def cast(leaf):
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
