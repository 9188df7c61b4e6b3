"""LPIPS of videos: of every frame with the true one, then the mean over frames."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdm_jax import data, models
from vdm_jax.evaluation.networks import program
from vdm_jax.evaluation.pretrained import Pretrained
from vdm_jax.evaluation.subject import Clips
from vdm_jax.types import Key, Params

ALEX = Pretrained(models.AlexNet(), "alexnet")
VGG = Pretrained(models.VGG16(), "vgg16")
SQUEEZE = Pretrained(models.SqueezeNet(), "squeezenet1_1")


def heads(weights: str) -> Pretrained:
    """The weights of the channels that are published under a name."""
    return Pretrained(models.LpipsHeads(), weights)


@dataclass(frozen=True)
class LpipsOfPairs:
    """LPIPS between the first half of each clip's frames and the second: [b 1], zero if equal.

    title: what it is called in results, with the trunk and the version, which numbers depend on.
    shift, scale: of what the trunk sees, `(frame - shift) / scale` of frames in [-1, 1]; version
    0.0 has 0 and 1, and heads of its own. (Zhang et al. 2018, eq. 1)
    """

    title: str = "lpips_alex_0.1"
    trunk: Pretrained = ALEX
    heads: Pretrained = heads("lpips_alex_0.1")
    shift: tuple[float, float, float] = models.Lpips.shift
    scale: tuple[float, float, float] = models.Lpips.scale
    batch: int = 2

    @classmethod
    def vgg(cls) -> "LpipsOfPairs":
        """Version 0.1 through VGG16."""
        return cls("lpips_vgg_0.1", VGG, heads("lpips_vgg_0.1"))

    @classmethod
    def squeeze(cls) -> "LpipsOfPairs":
        """Version 0.1 through SqueezeNet 1.1."""
        return cls("lpips_squeeze_0.1", SQUEEZE, heads("lpips_squeeze_0.1"))

    @property
    def name(self) -> str:
        random = self.trunk.random_weights or self.heads.random_weights
        return self.title + ("_random_weights" if random else "")

    @property
    def network(self) -> models.Lpips:
        """The trunk under the heads."""
        return models.Lpips(self.trunk.network, self.shift, self.scale)

    def __call__(self, video: Clips) -> Float[np.ndarray, "b 1"]:
        return program(self, tuple(jax.local_devices()))(video)

    def forward(self, params: Params, video: Float[Array, "b f h w c"]) -> Float[Array, "b 1"]:
        """One batch, to be compiled."""
        a, b = halves(data.to_float(video), self.title)
        frames = (x.reshape(-1, *x.shape[2:]) for x in (a, b))
        with jax.default_matmul_precision("highest"):
            found = self.network.apply({"params": params}, *frames)
        return jnp.asarray(found).reshape(len(a), -1).mean(axis=1, keepdims=True)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """Of both, for clips of this shape [f h w c]."""
        frames = jnp.zeros((1, *clip[1:]), jnp.float32)

        def part(name: str):
            def init(key: Key) -> Params:
                return self.network.init(key, frames, frames)["params"][name]

            return init

        return {name: getattr(self, name).parameters(part(name)) for name in ("trunk", "heads")}


def halves(video: Array, title: str) -> tuple[Array, Array]:
    """The two clips that stand one after the other in each."""
    if video.shape[1] % 2:
        raise ValueError(
            f"{title} compares the first half of each clip's frames with the second; "
            f"{video.shape[1]} frames have no halves: put the true clip after the made one"
        )
    first, second = jnp.split(video, 2, axis=1)
    return first, second
