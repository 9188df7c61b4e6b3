"""RAFT in torch, with the names of the authors' tensors."""

import torch
from torch import nn
from torch.nn import functional as F


def conv(i, o, k, stride=1):
    k = (k, k) if isinstance(k, int) else k
    return nn.Conv2d(i, o, k, stride, tuple(side // 2 for side in k))


NORMS = {"none": nn.Identity, "instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d}


class Block(nn.Module):
    def __init__(self, i, o, stride, norm, small):
        super().__init__()
        widths, kernels = ((o // 4, o // 4, o), (1, 3, 1)) if small else ((o, o), (3, 3))
        strides = (1, stride, 1) if small else (stride, 1)
        self.layers = len(widths)
        for n, (w, k, s) in enumerate(zip(widths, kernels, strides, strict=True), start=1):
            self.add_module(f"conv{n}", conv(i if n == 1 else widths[n - 2], w, k, s))
            self.add_module(f"norm{n}", norm(w))
        self.downsample = None
        if stride != 1:
            self.add_module(f"norm{self.layers + 1}", norm(o))
            last = getattr(self, f"norm{self.layers + 1}")
            self.downsample = nn.Sequential(conv(i, o, 1, stride), last)

    def forward(self, x):
        y = x
        for n in range(1, self.layers + 1):
            y = F.relu(getattr(self, f"norm{n}")(getattr(self, f"conv{n}")(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Encoder(nn.Module):
    def __init__(self, widths, features, norm, small):
        super().__init__()
        self.conv1, self.norm1 = conv(3, widths[0], 7, 2), norm(widths[0])
        before = widths[0]
        for n, w in enumerate(widths, start=1):
            first = Block(before, w, 1 if n == 1 else 2, norm, small)
            self.add_module(f"layer{n}", nn.Sequential(first, Block(w, w, 1, norm, small)))
            before = w
        self.conv2 = conv(before, features, 1)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class Update(nn.Module):
    def __init__(self, correlations, small):
        super().__init__()
        h, c = (96, 64) if small else (128, 128)
        self.encoder, self.gru, self.flow_head = nn.Module(), nn.Module(), nn.Module()
        e, sizes = self.encoder, (96, 64, 32, 80) if small else (256, 128, 64, 126)
        e.convc1, e.convf1, e.convf2 = (
            conv(correlations, sizes[0], 1), conv(2, sizes[1], 7), conv(sizes[1], sizes[2], 3)
        )  # fmt: skip
        if not small:
            e.convc2 = conv(256, 192, 3)
        e.conv = conv((sizes[0] if small else 192) + sizes[2], sizes[3], 3)
        self.passes = {"": 3} if small else {"1": (1, 5), "2": (5, 1)}
        for name, kernel in self.passes.items():
            for gate in "zrq":
                width = h + c + sizes[3] + 2
                self.gru.add_module(f"conv{gate}{name}", conv(width, h, kernel))
        inner = 128 if small else 256
        self.flow_head.conv1, self.flow_head.conv2 = conv(h, inner, 3), conv(inner, 2, 3)
        if not small:
            self.mask = nn.Sequential(conv(h, 256, 3), nn.ReLU(), conv(256, 576, 1))

    def forward(self, h, context, correlation, flow):
        e = self.encoder
        a = F.relu(e.convc1(correlation))
        a = F.relu(e.convc2(a)) if hasattr(e, "convc2") else a
        m = F.relu(e.convf2(F.relu(e.convf1(flow))))
        x = torch.cat([context, F.relu(e.conv(torch.cat([a, m], 1))), flow], 1)
        for name in self.passes:
            z, r, q = (getattr(self.gru, f"conv{gate}{name}") for gate in "zrq")
            both = torch.cat([h, x], 1)
            update = z(both).sigmoid()
            h = (1 - update) * h + update * q(torch.cat([r(both).sigmoid() * h, x], 1)).tanh()
        return h, self.flow_head.conv2(F.relu(self.flow_head.conv1(h)))


class RAFT(nn.Module):
    def __init__(self, small):
        super().__init__()
        widths = (32, 64, 96) if small else (64, 96, 128)
        self.radius, self.hidden = (3, 96) if small else (4, 128)
        self.fnet = Encoder(widths, 128 if small else 256, NORMS["instance"], small)
        context = NORMS["none" if small else "batch"]
        self.cnet = Encoder(widths, 160 if small else 256, context, small)
        self.update_block = Update(4 * (2 * self.radius + 1) ** 2, small)

    def forward(self, first, second, iterations):
        left, right = self.fnet(first), self.fnet(second)
        b, d, i, j = left.shape
        volume = torch.einsum("bdij,bdyx->bijyx", left, right) / d**0.5
        pyramid = [volume.reshape(b * i * j, 1, i, j)]
        for _ in range(3):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        context = self.cnet(first)
        h, context = context[:, : self.hidden].tanh(), F.relu(context[:, self.hidden :])
        y, x = torch.meshgrid(torch.arange(i), torch.arange(j), indexing="ij")
        start = torch.stack([x, y]).float().expand(b, 2, i, j)
        flow = torch.zeros_like(start)
        for _ in range(iterations):
            h, step = self.update_block(h, context, self.lookup(pyramid, start + flow), flow)
            flow = flow + step
        return self.upsample(flow, h)

    def lookup(self, pyramid, targets):
        b, _, i, j = targets.shape
        reach = torch.arange(-self.radius, self.radius + 1.0)
        dx, dy = torch.meshgrid(reach, reach, indexing="ij")  # columns first
        correlation = []
        for level, volume in enumerate(pyramid):
            at = targets.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2) / 2**level
            at = at + torch.stack([dx, dy], -1)
            size = torch.tensor(volume.shape[:1:-1])
            window = F.grid_sample(volume, 2 * at / (size - 1) - 1, align_corners=True)
            correlation.append(window.reshape(b, i, j, -1).permute(0, 3, 1, 2))
        return torch.cat(correlation, 1)

    def upsample(self, flow, h):
        b, _, i, j = flow.shape
        if not hasattr(self.update_block, "mask"):
            size = (8 * i, 8 * j)
            return 8 * F.interpolate(flow, size=size, mode="bilinear", align_corners=True)
        weights = 0.25 * self.update_block.mask(h)
        weights = weights.reshape(b, 1, 9, 8, 8, i, j).softmax(2)
        near = F.unfold(8 * flow, 3, padding=1).reshape(b, 2, 9, 1, 1, i, j)
        return (weights * near).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(b, 2, 8 * i, 8 * j)
