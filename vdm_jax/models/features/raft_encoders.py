"""RAFT's encoders: features of frames at an eighth of the height and width."""

import flax.linen as nn
from jaxtyping import Array, Float


class BasicBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions. (Teed & Deng 2020, supplement: full network)

    norm: the template of the norm after every convolution.
    width: channels of the output.
    stride: of the first convolution.
    """

    norm: nn.Module | None = None
    width: int = 64
    stride: int = 1

    @nn.compact
    def __call__(self, h: Float[Array, "n h w c"]) -> Float[Array, "n i j d"]:
        a = nn.relu(normalize(self, conv(self.width, 3, self.stride, name="conv_1")(h), "norm_1"))
        a = nn.relu(normalize(self, conv(self.width, 3, name="conv_2")(a), "norm_2"))
        return nn.relu(_skip(self, h) + a)


class BottleneckBlock(nn.Module):
    """A residual block of convolutions 1 x 1, 3 x 3 and 1 x 1, a quarter as wide inside.

    (Teed & Deng 2020, supplement: small network)

    norm: the template of the norm after every convolution.
    width: channels of the output.
    stride: of the 3 x 3 convolution.
    """

    norm: nn.Module | None = None
    width: int = 64
    stride: int = 1

    @nn.compact
    def __call__(self, h: Float[Array, "n h w c"]) -> Float[Array, "n i j d"]:
        inner = self.width // 4
        a = nn.relu(normalize(self, conv(inner, 1, name="conv_1")(h), "norm_1"))
        a = nn.relu(normalize(self, conv(inner, 3, self.stride, name="conv_2")(a), "norm_2"))
        a = nn.relu(normalize(self, conv(self.width, 1, name="conv_3")(a), "norm_3"))
        return nn.relu(_skip(self, h) + a)


class FrameEncoder(nn.Module):
    """A 7 x 7 convolution, three levels of two blocks, and a 1 x 1 convolution.

    block: the template of all blocks; its norm is also that of the first convolution.
    widths: of the levels, and of the first convolution; the last two levels have stride 2.
    features: channels of the output.
    """

    block: BasicBlock | BottleneckBlock
    widths: tuple[int, int, int]
    features: int

    @nn.compact
    def __call__(self, frames: Float[Array, "n h w 3"]) -> Float[Array, "n i j d"]:
        h = conv(self.widths[0], 7, 2, name="input")(frames)
        h = nn.relu(normalize(self.block, h, "norm", parent=self))
        for level, width in enumerate(self.widths, start=1):
            for i in range(2):
                block = self.block.clone(
                    parent=self, name=f"block_{level}_{i}", _deep_clone=True,
                    width=width, stride=2 if level > 1 and i == 0 else 1,
                )  # fmt: skip
                h = block(h)
        return conv(self.features, 1, name="output")(h)


def conv(features: int, kernel: int | tuple[int, int], stride: int = 1, *, name: str) -> nn.Conv:
    """A convolution padded by half a kernel on all sides, for any stride."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = tuple((side // 2, side // 2) for side in sides)
    return nn.Conv(features, sides, stride, padding, name=name)


def normalize(block: nn.Module, h: Array, name: str, parent: nn.Module | None = None) -> Array:
    """`h` normalized by a copy of the block's norm, called `name` in the parent or the block."""
    template = block.norm  # pyright: ignore[reportAttributeAccessIssue]
    if template is None:
        return h
    return template.clone(parent=parent or block, name=name, _deep_clone=True)(h)


def _skip(block: BasicBlock | BottleneckBlock, h: Array) -> Array:
    if block.stride == 1:
        return h
    return normalize(block, conv(block.width, 1, block.stride, name="skip")(h), "skip_norm")
