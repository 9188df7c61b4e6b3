"""I3D in PyTorch, written from the paper's figure, as in the ports that compute FVD.

Its parameters have the names of piergiaj's port (VideoGPT, TATS) or of hassony2's (StyleGAN-V).
"""

import torch
from torch import nn
from torch.nn import functional as F

MIXED = {
    "3b": (192, 64, 96, 128, 16, 32, 32), "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64), "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64), "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128), "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}  # fmt: skip


def same(x, sides, strides):
    """x with TensorFlow's SAME padding: odd padding at the end."""
    padding = []
    for length, side, stride in zip(x.shape[2:], sides, strides, strict=True):
        total = max((-(-length // stride) - 1) * stride + side - length, 0)
        padding = [total // 2, total - total // 2, *padding]
    return F.pad(x, padding)


def pool(x, sides, strides):
    return F.max_pool3d(same(x, sides, strides), sides, strides)


class Unit(nn.Module):
    """A convolution, a batch norm called `norm`, a ReLU."""

    def __init__(self, before, width, side=1, stride=1, norm="bn", epsilon=1e-3):
        super().__init__()
        self.side, self.stride, self.norm = (side,) * 3, (stride,) * 3, norm
        self.conv3d = nn.Conv3d(before, width, side, stride, bias=False)
        self.add_module(norm, nn.BatchNorm3d(width, eps=epsilon))

    def forward(self, x):
        return F.relu(getattr(self, self.norm)(self.conv3d(same(x, self.side, self.stride))))


class Mixed(nn.Module):
    def __init__(self, before, b0, b1a, b1b, b2a, b2b, b3, **norm):
        super().__init__()
        self.b0 = Unit(before, b0, **norm)
        self.b1a, self.b1b = Unit(before, b1a, **norm), Unit(b1a, b1b, 3, **norm)
        self.b2a, self.b2b = Unit(before, b2a, **norm), Unit(b2a, b2b, 3, **norm)
        self.b3b = Unit(before, b3, **norm)

    def forward(self, x):
        pooled = pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)),
                          self.b3b(pooled)], 1)  # fmt: skip


class I3D(nn.Module):
    """`[b 3 f h w] -> [b 400]`; `steps` collects every layer's output by name."""

    def __init__(self, epsilon=1e-3):
        super().__init__()
        norm = {"epsilon": epsilon}
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2, **norm)
        self.Conv3d_2b_1x1 = Unit(64, 64, **norm)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3, **norm)
        for name, widths in MIXED.items():
            self.add_module(f"Mixed_{name}", Mixed(*widths, **norm))
        self.logits = nn.Module()
        self.logits.conv3d = nn.Conv3d(1024, 400, 1)

    def forward(self, x, steps=None):
        def record(name, x):
            if steps is not None:
                steps[name] = x
            return x

        x = record("convolution_1a", self.Conv3d_1a_7x7(x))
        x = record("convolution_2b", self.Conv3d_2b_1x1(pool(x, (1, 3, 3), (1, 2, 2))))
        x = record("convolution_2c", self.Conv3d_2c_3x3(x))
        x = pool(x, (1, 3, 3), (1, 2, 2))
        for name in MIXED:
            if name == "4b":
                x = pool(x, (3, 3, 3), (2, 2, 2))
            if name == "5b":
                x = pool(x, (2, 2, 2), (2, 2, 2))
            x = record(f"mixed_{name}", getattr(self, f"Mixed_{name}")(x))
        x = F.avg_pool3d(x, (2, *x.shape[3:]), 1)
        return record("logits", self.logits.conv3d(x)).mean((2, 3, 4))


def hassony2(name: str) -> str:
    """The name in hassony2's port for a name in piergiaj's."""
    if name.startswith("logits."):
        return name.replace("logits", "conv3d_0c_1x1")
    places = {"b0": "branch_0", "b1a": "branch_1.0", "b1b": "branch_1.1", "b2a": "branch_2.0",
              "b2b": "branch_2.1", "b3b": "branch_3.1"}  # fmt: skip
    top, *parts = name.split(".")
    parts = [{"bn": "batch3d"}.get(part, places.get(part, part)) for part in parts]
    return ".".join([top.lower(), *parts])


def tensorflow(name: str) -> str:
    """The name in DeepMind's checkpoint for a name in piergiaj's; there is none for a scale."""
    top, *parts = name.split(".")
    if top == "logits":
        return f"RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/{parts[-1][0]}"
    places = {"b0": "Branch_0/Conv3d_0a_1x1", "b1a": "Branch_1/Conv3d_0a_1x1",
              "b1b": "Branch_1/Conv3d_0b_3x3", "b2a": "Branch_2/Conv3d_0a_1x1",
              "b2b": "Branch_2/Conv3d_0b_3x3", "b3b": "Branch_3/Conv3d_0b_1x1"}  # fmt: skip
    if top == "Mixed_5b":
        places["b2b"] = "Branch_2/Conv3d_0a_3x3"
    layer = "/".join([top, *(places[part] for part in parts[:-2])])
    kinds = {("conv3d", "weight"): "conv_3d/w", ("bn", "bias"): "batch_norm/beta",
             ("bn", "running_mean"): "batch_norm/moving_mean",
             ("bn", "running_var"): "batch_norm/moving_variance"}  # fmt: skip
    return f"RGB/inception_i3d/{layer}/{kinds[tuple(parts[-2:])]}"
