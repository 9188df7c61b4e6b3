"""Steps from pixels in 0..255 to the values that a feature network was trained on."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdm_jax.checkpoints.published import find_weights
from vdm_jax.metrics.resizing import Frames


@dataclass(frozen=True)
class Rescale:
    """x / by + plus: `Rescale(127.5, -1.0)` gives [-1, 1] and `Rescale(255.0)` gives [0, 1]."""

    by: float
    plus: float = 0.0

    def __call__(self, x: Frames) -> Frames:
        return x / self.by + self.plus


SIGNED = Rescale(127.5, -1.0)
"""0..255 to [-1, 1]."""
UNIT = Rescale(255.0)
"""0..255 to [0, 1]."""


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std, channel by channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, x: Frames) -> Frames:
        return (x - _last(self.mean, x)) / _last(self.std, x)


IMAGENET = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""ImageNet's statistics, for values in [0, 1]."""
CLIP = Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""CLIP's statistics, for values in [0, 1] (Radford et al. 2021, their code)."""


@dataclass(frozen=True)
class Quantize:
    """Round to integers and clip to 0..255, as storing frames in 8 bits does."""

    def __call__(self, x: Frames) -> Frames:
        return x.round().clip(0, 255)


@dataclass(frozen=True)
class ReverseChannels:
    """RGB to BGR, the channel order of networks trained with Caffe."""

    def __call__(self, x: Frames) -> Frames:
        return x[..., ::-1]


@dataclass(frozen=True)
class Images:
    """Clips [b f h w c] to images [(b f) h w c], for image networks."""

    def __call__(self, x: Frames) -> Float[Array | np.ndarray, "n h w c"]:
        return x.reshape(-1, *x.shape[2:])


@dataclass(frozen=True)
class SubtractMeanClip:
    """x minus a crop, of the size of x, of a mean clip in BGR.

    file: a path, or a name in the folder of weights: a .npz with the array `mean`, channels first
      [3 f h w] as TGAN's `mean2.npz`, or a .npy, channels last [f h w 3].
    corner: (top, left) of the crop, in pixels.
    """

    file: str
    corner: tuple[int, int] = (0, 0)

    def path(self) -> Path:
        """The path of the file; CheckpointError says where to get it if it is missing."""
        return find_weights(
            self.file,
            "there is no mean clip {}: C3D's is `mean2.npz` of TGAN's release "
            "(github.com/pfnet-research/tgan); put it there",
        )

    def __call__(self, x: Frames) -> Frames:
        mean = _mean_clip(self.path())
        frames, height, width = x.shape[1:4]
        top, left = self.corner
        crop = mean[:, top : top + height, left : left + width]
        if crop.shape != x.shape[1:]:
            raise ValueError(
                f"the mean clip {self.file} {mean.shape} has no crop of {frames} frames of "
                f"{height} x {width} pixels at {self.corner}: resize the clips first, and give "
                f"clips of {len(mean)} frames"
            )
        return x - jnp.asarray(crop)[None]


@lru_cache(maxsize=4)
def _mean_clip(path: Path) -> np.ndarray:
    """The mean clip in a file, [f h w 3] in float32."""
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        mean = loaded
    elif "mean" in loaded:
        mean = np.moveaxis(loaded["mean"].reshape(loaded["mean"].shape[-4:]), 0, -1)
    else:
        raise ValueError(f"{path} has no array `mean`; it has {', '.join(loaded)}")
    if mean.ndim != 4 or mean.shape[-1] != 3:
        raise ValueError(f"{path} holds an array of shape {mean.shape}, not a mean clip [f h w 3]")
    return np.ascontiguousarray(mean, np.float32)


def _last(values: tuple[float, ...], x: Frames) -> Array:
    return jnp.asarray(values, jnp.float32).reshape((1,) * (x.ndim - 1) + (-1,))
