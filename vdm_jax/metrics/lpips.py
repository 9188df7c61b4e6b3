"""LPIPS of videos: the mean over frames of the LPIPS of each frame and the true one."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from vdm_jax import data, models
from vdm_jax.interfaces import Clips
from vdm_jax.metrics.networks import batched
from vdm_jax.metrics.pretrained import Pretrained
from vdm_jax.types import Key, Params

ALEX = Pretrained(models.AlexNet(), "alexnet")
VGG = Pretrained(models.VGG16(), "vgg16")
SQUEEZE = Pretrained(models.SqueezeNet(), "squeezenet1_1")


def heads(weights: str) -> Pretrained:
    """The published channel weights (linear heads) of this name."""
    return Pretrained(models.LpipsHeads(), weights)


@dataclass(frozen=True)
class LpipsOfPairs:
    """LPIPS between the first and the second half of each clip's frames, [b 1]; zero if equal.

    (Zhang et al. 2018, eq. 1)

    title: the name in results, with the trunk and the version, which numbers depend on.
    trunk: the network under the heads.
    heads: the channel weights.
    shift: subtracted from frames in [-1, 1], per channel; version 0.0 has 0 and its own heads.
    scale: divides frames after the shift, per channel; version 0.0 has 1.
    batch: clips at a time per device.
    """

    title: str = "lpips_alex_0.1"
    trunk: Pretrained = ALEX
    heads: Pretrained = heads("lpips_alex_0.1")
    shift: tuple[float, float, float] = models.Lpips.shift
    scale: tuple[float, float, float] = models.Lpips.scale
    batch: int = 2

    @classmethod
    def vgg(cls) -> "LpipsOfPairs":
        """Version 0.1 with VGG16."""
        return cls("lpips_vgg_0.1", VGG, heads("lpips_vgg_0.1"))

    @classmethod
    def squeeze(cls) -> "LpipsOfPairs":
        """Version 0.1 with SqueezeNet 1.1."""
        return cls("lpips_squeeze_0.1", SQUEEZE, heads("lpips_squeeze_0.1"))

    @property
    def name(self) -> str:
        random = self.trunk.random_weights or self.heads.random_weights
        return self.title + ("_random_weights" if random else "")

    @property
    def network(self) -> models.Lpips:
        """The trunk with the heads on it."""
        return models.Lpips(self.trunk.network, self.shift, self.scale)

    def __call__(self, video: Clips) -> Float[np.ndarray, "b 1"]:
        return batched(self, tuple(jax.local_devices()))(video)

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "b 1"]:
        """LPIPS of one batch; the function that is compiled."""
        a, b = split_halves(data.to_float(video), self.title)
        frames = (x.reshape(-1, *x.shape[2:]) for x in (a, b))
        with jax.default_matmul_precision("highest"):
            distances = self.network.apply({"params": params}, *frames)
        return jnp.asarray(distances).reshape(len(a), -1).mean(axis=1, keepdims=True)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """The parameters of trunk and heads for clips of this shape [f h w c]."""
        frames = jnp.zeros((1, *clip[1:]), jnp.float32)

        def initializer(name: str):
            def init(key: Key) -> Params:
                return self.network.init(key, frames, frames)["params"][name]

            return init

        return {
            name: getattr(self, name).parameters(initializer(name)) for name in ("trunk", "heads")
        }


def split_halves(video: Array, title: str) -> tuple[Array, Array]:
    """The first and the second half of each clip's frames."""
    if video.shape[1] % 2:
        raise ValueError(
            f"{title} compares the first half of each clip's frames with the second, and "
            f"{video.shape[1]} frames have no halves: append the true clip to the sample"
        )
    first, second = jnp.split(video, 2, axis=1)
    return first, second
