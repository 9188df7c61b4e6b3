"""FID's Inception-v3 in PyTorch, from its published figure and names.

Unlike torchvision's, average pools exclude the padding, and the last block has a max pool.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Unit(nn.Module):
    def __init__(self, before, width, sides=(1, 1), stride=1, padding=None):
        super().__init__()
        around = tuple(side // 2 for side in sides) if padding is None else padding
        self.conv = nn.Conv2d(before, width, sides, stride, around, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


ACROSS, DOWN, THREE = (1, 7), (7, 1), (3, 3)


class Block(nn.Module):
    """Units called `branch...`, and `chain`, which calls some in sequence."""

    def __init__(self, **units):
        super().__init__()
        for name, unit in units.items():
            self.add_module(f"branch{name}", unit)

    def chain(self, x, *names):
        for name in names:
            x = getattr(self, f"branch{name}")(x)
        return x


class A(Block):
    def __init__(self, before, pooled):
        three = {"3x3dbl_1": Unit(before, 64), "3x3dbl_2": Unit(64, 96, THREE),
                 "3x3dbl_3": Unit(96, 96, THREE)}  # fmt: skip
        five = {"5x5_1": Unit(before, 48), "5x5_2": Unit(48, 64, (5, 5))}
        super().__init__(**{"1x1": Unit(before, 64)}, **five, **three, _pool=Unit(before, pooled))

    def forward(self, x):
        mean = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return torch.cat([self.chain(x, "1x1"), self.chain(x, "5x5_1", "5x5_2"),
                          self.chain(x, "3x3dbl_1", "3x3dbl_2", "3x3dbl_3"),
                          self.chain(mean, "_pool")], 1)  # fmt: skip


class B(Block):
    def __init__(self, before):
        super().__init__(**{"3x3": Unit(before, 384, THREE, 2, 0), "3x3dbl_1": Unit(before, 64),
                            "3x3dbl_2": Unit(64, 96, THREE),
                            "3x3dbl_3": Unit(96, 96, THREE, 2, 0)})  # fmt: skip

    def forward(self, x):
        return torch.cat([self.chain(x, "3x3"), self.chain(x, "3x3dbl_1", "3x3dbl_2", "3x3dbl_3"),
                          F.max_pool2d(x, 3, 2)], 1)  # fmt: skip


class C(Block):
    def __init__(self, n):
        one = {"7x7_1": Unit(768, n), "7x7_2": Unit(n, n, ACROSS), "7x7_3": Unit(n, 192, DOWN)}
        two = {"7x7dbl_1": Unit(768, n), "7x7dbl_2": Unit(n, n, DOWN),
               "7x7dbl_3": Unit(n, n, ACROSS), "7x7dbl_4": Unit(n, n, DOWN),
               "7x7dbl_5": Unit(n, 192, ACROSS)}  # fmt: skip
        super().__init__(**{"1x1": Unit(768, 192)}, **one, **two, _pool=Unit(768, 192))

    def forward(self, x):
        mean = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return torch.cat([self.chain(x, "1x1"), self.chain(x, "7x7_1", "7x7_2", "7x7_3"),
                          self.chain(x, *(f"7x7dbl_{n}" for n in range(1, 6))),
                          self.chain(mean, "_pool")], 1)  # fmt: skip


class D(Block):
    def __init__(self):
        seven = {
            "7x7x3_1": Unit(768, 192),
            "7x7x3_2": Unit(192, 192, ACROSS),
            "7x7x3_3": Unit(192, 192, DOWN),
            "7x7x3_4": Unit(192, 192, THREE, 2, 0),
        }
        three = {"3x3_1": Unit(768, 192), "3x3_2": Unit(192, 320, THREE, 2, 0)}
        super().__init__(**three, **seven)

    def forward(self, x):
        return torch.cat([self.chain(x, "3x3_1", "3x3_2"),
                          self.chain(x, *(f"7x7x3_{n}" for n in range(1, 5))),
                          F.max_pool2d(x, 3, 2)], 1)  # fmt: skip


class E(Block):
    def __init__(self, before, last):
        super().__init__(**{
            "1x1": Unit(before, 320), "3x3_1": Unit(before, 384),
            "3x3_2a": Unit(384, 384, (1, 3)), "3x3_2b": Unit(384, 384, (3, 1)),
            "3x3dbl_1": Unit(before, 448), "3x3dbl_2": Unit(448, 384, THREE),
            "3x3dbl_3a": Unit(384, 384, (1, 3)), "3x3dbl_3b": Unit(384, 384, (3, 1)),
            "_pool": Unit(before, 192),
        })  # fmt: skip
        self.last = last

    def forward(self, x):
        mean = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        pooled = F.max_pool2d(x, 3, 1, 1) if self.last else mean
        three, double = self.chain(x, "3x3_1"), self.chain(x, "3x3dbl_1", "3x3dbl_2")
        both = [self.chain(three, "3x3_2a"), self.chain(three, "3x3_2b"),
                self.chain(double, "3x3dbl_3a"), self.chain(double, "3x3dbl_3b")]  # fmt: skip
        return torch.cat([self.chain(x, "1x1"), *both, self.chain(pooled, "_pool")], 1)


class Inception(nn.Module):
    """`[b 3 h w]` to (2048 features, 1008 logits); `steps` collects every layer's output."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, THREE, 2, 0)
        self.Conv2d_2a_3x3 = Unit(32, 32, THREE, 1, 0)
        self.Conv2d_2b_3x3 = Unit(32, 64, THREE)
        self.Conv2d_3b_1x1 = Unit(64, 80)
        self.Conv2d_4a_3x3 = Unit(80, 192, THREE, 1, 0)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = A(192, 32), A(256, 64), A(288, 64)
        self.Mixed_6a = B(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(C, (128, 160, 160, 192))
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = D(), E(1280, False), E(2048, True)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x, steps):
        for name, layer in self.named_children():
            if name == "fc":
                break
            if name in ("Conv2d_3b_1x1", "Mixed_5b"):
                x = F.max_pool2d(x, 3, 2)
            x = layer(x)
            steps["mixed_" + name[-2:] if "Mixed" in name else "convolution_" + name[7:9]] = x
        pool = x.mean((2, 3))
        return pool, self.fc(pool)
