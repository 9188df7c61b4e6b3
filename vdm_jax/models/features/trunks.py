"""Trunks of LPIPS: the convolutions of ImageNet classifiers.

Values are R, G, B in 0..1, minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225). Layers
have torchvision's numbers, which count pools and activations.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

Maps = tuple[Float[Array, "n i j c"], ...]


class AlexNet(nn.Module):
    """The outputs of five convolutions, after their ReLUs. (Krizhevsky 2014, arXiv 1404.5997)"""

    @nn.compact
    def __call__(self, frames: Float[Array, "n h w 3"]) -> Maps:
        maps = [_conv(frames, 0, 64, 11, stride=4, padding=2)]
        maps.append(_conv(_pool(maps[-1], 3), 3, 192, 5))
        maps.append(_conv(_pool(maps[-1], 3), 6, 384))
        maps.append(_conv(maps[-1], 8, 256))
        maps.append(_conv(maps[-1], 10, 256))
        return tuple(maps)


class VGG16(nn.Module):
    """The outputs of each resolution of 13 convolutions. (Simonyan & Zisserman 2014)"""

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
    """SqueezeNet 1.1: seven outputs of a convolution and eight fires. (Iandola et al. 2016)

    Pools include incomplete windows at the end, as in Caffe.
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
    """A 1 x 1 convolution to few channels, then 1 x 1 and 3 x 3 convolutions, concatenated.

    inner: channels of the first convolution.
    outer: channels of each of the others.
    """

    inner: int
    outer: int

    @nn.compact
    def __call__(self, h: Float[Array, "n h w c"]) -> Float[Array, "n h w d"]:
        h = nn.relu(nn.Conv(self.inner, (1, 1), name="squeeze")(h))
        small = nn.Conv(self.outer, (1, 1), name="expand_1x1")(h)
        large = nn.Conv(self.outer, (3, 3), padding=1, name="expand_3x3")(h)
        return nn.relu(jnp.concatenate([small, large], axis=-1))


def _conv(h, number: int, width: int, kernel: int = 3, *, stride: int = 1, padding=None):
    """A convolution and a ReLU."""
    padding = kernel // 2 if padding is None else padding
    sides = (kernel, kernel)
    return nn.relu(nn.Conv(width, sides, stride, padding, name=f"convolution_{number}")(h))


def _pool(h: Float[Array, "n h w c"], kernel: int, *, whole: bool = True) -> Array:
    """The maximum of each window, with stride 2; also of incomplete windows if not `whole`."""
    rest = (0, 0) if whole else tuple((n - kernel) % 2 for n in h.shape[1:3])
    padding = ((0, rest[0]), (0, rest[1]))
    return nn.max_pool(h, (kernel, kernel), (2, 2), padding)  # pyright: ignore[reportArgumentType]
