"""RAFT: optical flow, where every pixel of a frame is in the next one.

The correlations of all pairs of positions are computed once. A recurrent unit then repeatedly looks
them up around its current estimate and corrects it. (Teed & Deng 2020, arXiv 2003.12039)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdm_jax.models.features.raft_encoders import BasicBlock, BottleneckBlock, FrameEncoder, conv
from vdm_jax.nn import BatchNorm, InstanceNorm

REDUCED = 8
"""Pixels on a side of a position of the recurrent unit."""


class FlowUpdate(nn.Module):
    """One correction of the flow: `(hidden, flow, correlation, context) -> (hidden, flow)`.

    (Teed & Deng 2020, section 3.3)

    correlation: widths of the convolutions of the correlations, the first 1 x 1, the others 3 x 3.
    flow: widths of the convolutions of the flow, 7 x 7 and 3 x 3.
    motion: features of both together.
    hidden: features of the recurrent state.
    kernels: of the gated recurrent units, in sequence.
    head: width inside the layer of the correction.
    """

    correlation: tuple[int, ...]
    flow: tuple[int, int]
    motion: int
    hidden: int
    kernels: tuple[tuple[int, int], ...]
    head: int

    @nn.compact
    def __call__(self, hidden: Array, flow: Array, correlation: Array, context: Array):
        a, m = correlation, flow
        for i, width in enumerate(self.correlation):
            a = nn.relu(conv(width, 3 if i else 1, name=f"correlation_{i}")(a))
        for i, width in enumerate(self.flow):
            m = nn.relu(conv(width, 3 if i else 7, name=f"flow_{i}")(m))
        motion = nn.relu(conv(self.motion, 3, name="motion")(jnp.concatenate([a, m], -1)))
        x = jnp.concatenate([context, motion, flow], axis=-1)
        for i, kernel in enumerate(self.kernels):
            both = jnp.concatenate([hidden, x], axis=-1)
            update = nn.sigmoid(conv(self.hidden, kernel, name=f"z_{i}")(both))
            reset = nn.sigmoid(conv(self.hidden, kernel, name=f"r_{i}")(both))
            both = jnp.concatenate([reset * hidden, x], axis=-1)
            new = jnp.tanh(conv(self.hidden, kernel, name=f"q_{i}")(both))
            hidden = (1 - update) * hidden + update * new
        inner = nn.relu(conv(self.head, 3, name="head")(hidden))
        return hidden, flow + conv(2, 3, name="step")(inner)


class BilinearFlow(nn.Module):
    """The flow of pixels by bilinear interpolation with aligned corners."""

    @nn.compact
    def __call__(self, flow: Float[Array, "b i j 2"], hidden: Array) -> Float[Array, "b h w 2"]:
        rows, columns = (_interpolation(n) for n in flow.shape[1:3])
        return REDUCED * jnp.einsum("yi,bijc,xj->byxc", rows, flow, columns, precision="highest")


class ConvexFlow(nn.Module):
    """The flow of a pixel as a learned weighted mean over nine neighbouring positions.

    (Teed & Deng 2020, section 3.3: upsampling)

    features: inside the layer of the weights.
    """

    features: int = 256

    @nn.compact
    def __call__(self, flow: Float[Array, "b i j 2"], hidden: Array) -> Float[Array, "b h w 2"]:
        inner = nn.relu(conv(self.features, 3, name="inner")(hidden))
        scores = 0.25 * conv(9 * REDUCED**2, 1, name="shares")(inner)
        b, i, j, _ = flow.shape
        weights = nn.softmax(scores.reshape(b, i, j, 9, REDUCED, REDUCED), axis=3)
        padded = jnp.pad(flow, ((0, 0), (1, 1), (1, 1), (0, 0)))
        near = [padded[:, y : y + i, x : x + j] for y in range(3) for x in range(3)]
        fine = jnp.einsum("bijkpq,kbijc->bipjqc", weights, jnp.stack(near), precision="highest")
        return REDUCED * fine.reshape(b, i * REDUCED, j * REDUCED, 2)


class Raft(nn.Module):
    """The optical flow of RAFT, called as `(first, second) -> flow`.

    Frames are in [-1, 1], their height and width divisible by 8. The flow is (x, y) in pixels: the
    content at p in the first frame is at p + flow(p) in the second.

    features: the encoder of both frames, for correlations.
    context: the encoder of the first frame, for the recurrent unit.
    update: the recurrent unit.
    upsampling: of the flow, from positions to pixels.
    radius: how far around its estimate a position looks up correlations (positions).
    levels: at how many resolutions.
    iterations: how many corrections.
    """

    features: FrameEncoder
    context: FrameEncoder
    update: FlowUpdate
    upsampling: BilinearFlow | ConvexFlow
    radius: int
    levels: int = 4
    iterations: int = 12

    @classmethod
    def small(cls) -> "Raft":
        """The small network, of a million parameters."""
        return cls(
            features=FrameEncoder(BottleneckBlock(InstanceNorm()), (32, 64, 96), 128),
            context=FrameEncoder(BottleneckBlock(), (32, 64, 96), 160),
            update=FlowUpdate((96,), (64, 32), 80, hidden=96, kernels=((3, 3),), head=128),
            upsampling=BilinearFlow(),
            radius=3,
        )

    @classmethod
    def large(cls) -> "Raft":
        """The network of the paper's tables, of 5.3 million parameters."""
        return cls(
            features=FrameEncoder(BasicBlock(InstanceNorm()), (64, 96, 128), 256),
            context=FrameEncoder(BasicBlock(BatchNorm()), (64, 96, 128), 256),
            update=FlowUpdate(
                (256, 192), (128, 64), 126, hidden=128, kernels=((1, 5), (5, 1)), head=256
            ),
            upsampling=ConvexFlow(),
            radius=4,
            iterations=20,
        )

    @nn.compact
    def __call__(
        self, first: Float[Array, "b h w 3"], second: Float[Array, "b h w 3"]
    ) -> Float[Array, "b h w 2"]:
        if first.shape != second.shape or first.shape[1] % REDUCED or first.shape[2] % REDUCED:
            raise ValueError(
                "RAFT takes frames of one shape, height and width divisible by "
                f"{REDUCED}, not {first.shape} and {second.shape}; pad them"
            )
        both = self.features(jnp.concatenate([first, second]))
        left, right = jnp.split(both.astype(jnp.float32), 2)
        pyramid = correlations(left, right, self.levels)
        hidden, context = jnp.split(self.context(first), [self.update.hidden], axis=-1)
        hidden, context = jnp.tanh(hidden), nn.relu(context)
        rows, columns = left.shape[1:3]
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
        start = jnp.asarray(grid, jnp.float32)[None]

        def correct(update, carry, _):
            hidden, flow = carry
            near = lookup(pyramid, start + flow, self.radius).astype(hidden.dtype)
            hidden, flow = update(hidden, flow, near, context)
            return (hidden, flow), None

        loop = nn.scan(
            correct, variable_broadcast="params", split_rngs={"params": False},
            length=self.iterations,
        )  # fmt: skip
        still = jnp.zeros((*left.shape[:3], 2), hidden.dtype)
        (hidden, flow), _ = loop(self.update, (hidden, still), None)
        return self.upsampling(flow, hidden)


def correlations(
    left: Float[Array, "b i j d"], right: Float[Array, "b i j d"], levels: int
) -> tuple[Float[Array, "b n _ _"], ...]:
    """`<left, right> / sqrt(d)` of all pairs of positions, with `right` pooled by 1, 2, 4, ...

    (Teed & Deng 2020, eq. 1; the mean of products is the product with the mean.)

    Raises:
      ValueError: the frames are too small for `levels`.
    """
    positions = left.reshape(len(left), -1, left.shape[-1]) * left.shape[-1] ** -0.5
    volumes = []
    for _ in range(levels):
        if 0 in right.shape:
            raise ValueError(
                f"frames of {left.shape[1] * REDUCED} x {left.shape[2] * REDUCED} pixels are too "
                f"small for RAFT's {levels} resolutions: they need {REDUCED * 2 ** (levels - 1)} "
                "pixels each way; resize them"
            )
        volumes.append(jnp.einsum("bnd,byxd->bnyx", positions, right, precision="highest"))
        right = nn.avg_pool(right, (2, 2), (2, 2))
    return tuple(volumes)


def lookup(
    pyramid: tuple[Float[Array, "b n _ _"], ...], targets: Float[Array, "b i j 2"], radius: int
) -> Float[Array, "b i j k"]:
    """Correlations within `radius` of every position's target, at all resolutions; zeros outside.

    Linear interpolation as two products with hat functions, which is fast on matrix units. Columns
    come before rows.
    """
    reach = jnp.arange(-radius, radius + 1, dtype=jnp.float32)
    correlation = []
    for level, volume in enumerate(pyramid):
        middle = targets.astype(jnp.float32).reshape(*volume.shape[:2], 2, 1) / 2**level
        samples = middle + reach.reshape(1, 1, 1, -1)
        columns, rows = (_hats(samples[:, :, i], volume.shape[3 - i]) for i in (0, 1))
        across = jnp.einsum("bnyx,bnkx->bnky", volume, columns, precision="highest")
        window = jnp.einsum("bnky,bnly->bnkl", across, rows, precision="highest")
        correlation.append(window.reshape(*targets.shape[:3], -1))
    return jnp.concatenate(correlation, axis=-1)


def _hats(at: Float[Array, "*n k"], size: int) -> Float[Array, "*n k size"]:
    """Weights of `size` samples for linear interpolation: `max(0, 1 - |at - sample|)`."""
    samples = jnp.arange(size, dtype=jnp.float32).reshape((1,) * at.ndim + (size,))
    return jax.nn.relu(1 - jnp.abs(at[..., None] - samples))


def _interpolation(size: int) -> Float[Array, "m n"]:
    """The matrix that interpolates `size` samples to eight times as many, with aligned corners."""
    fine = jnp.arange(REDUCED * size, dtype=jnp.float32) * ((size - 1) / (REDUCED * size - 1))
    return _hats(fine, size)
