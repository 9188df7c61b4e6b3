"""Classifiers of ImageNet up to their last convolutions, as LPIPS looks through them.

Frames are R, G, B, less (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225). Layers are numbered as
torchvision numbers them, pooling and activations counted.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

Maps = tuple[Float[Array, "n i j c"], ...]


class AlexNet(nn.Module):
    """Five convolutions, each seen after its ReLU. (Krizhevsky 2014, arXiv 1404.5997)"""

    @nn.compact
    def __call__(self, frames: Float[Array, "n h w 3"]) -> Maps:
        maps = [_conv(frames, 0, 64, 11, stride=4, padding=2)]
        maps.append(_conv(_pool(maps[-1], 3), 3, 192, 5))
        maps.append(_conv(_pool(maps[-1], 3), 6, 384))
        maps.append(_conv(maps[-1], 8, 256))
        maps.append(_conv(maps[-1], 10, 256))
        return tuple(maps)


class VGG16(nn.Module):
    """Thirteen convolutions, seen at the end of each resolution. (Simonyan & Zisserman 2014)"""

    @nn.compact
    def __call__(self, frames: Float[Array, "n h w 3"]) -> Maps:
        maps, h, number = [], frames, 0
        for width, layers in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            if maps:
                h, number = _pool(h, 2), number + 1
            for _ in range(layers):
                h, number = _conv(h, number, width), number + 2
            maps.append(h)
        return tuple(maps)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1: one convolution and eight fires, seen at seven places. (Iandola et al. 2016)

    A last row or column that fills no window of a pool is pooled by itself, as in Caffe.
    """

    @nn.compact
    def __call__(self, frames: Float[Array, "n h w 3"]) -> Maps:
        h = _conv(frames, 0, 64, 3, stride=2, padding=0)
        maps, number = [h], 2
        for fires in (((16, 64), (16, 64)), ((32, 128), (32, 128)),
                      ((48, 192), (48, 192), (64, 256), (64, 256))):  # fmt: skip
            h, number = _pool(h, 3, whole=False), number + 1
            last = len(fires) == 4
            for i, (inner, outer) in enumerate(fires):
                h, number = Fire(inner, outer, name=f"fire_{number}")(h), number + 1
                if last or i == 1:
                    maps.append(h)
        return tuple(maps)


class Fire(nn.Module):
    """Few channels, then many: half of them by 1 x 1 and half by 3 x 3."""

    inner: int
    outer: int

    @nn.compact
    def __call__(self, h: Float[Array, "n h w c"]) -> Float[Array, "n h w d"]:
        h = nn.relu(nn.Conv(self.inner, (1, 1), name="squeeze")(h))
        points = nn.Conv(self.outer, (1, 1), name="expand_1x1")(h)
        around = nn.Conv(self.outer, (3, 3), padding=1, name="expand_3x3")(h)
        return nn.relu(jnp.concatenate([points, around], axis=-1))


def _conv(h, number: int, width: int, kernel: int = 3, *, stride: int = 1, padding=None):
    """A convolution and a ReLU."""
    around = kernel // 2 if padding is None else padding
    side = (kernel, kernel)
    return nn.relu(nn.Conv(width, side, stride, around, name=f"convolution_{number}")(h))


def _pool(h: Float[Array, "n h w c"], kernel: int, *, whole: bool = True) -> Array:
    """The greatest of each window, two apart; also of windows that are not whole, if asked."""
    beyond = (0, 0) if whole else tuple((n - kernel) % 2 for n in h.shape[1:3])
    ends = ((0, beyond[0]), (0, beyond[1]))
    return nn.max_pool(h, (kernel, kernel), (2, 2), ends)  # pyright: ignore[reportArgumentType]
