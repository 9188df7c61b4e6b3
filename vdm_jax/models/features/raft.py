"""RAFT: where every pixel of a frame is in the next one.

All pairs of positions are compared once; a recurrent unit then looks up, around where it believes
each position to be, and corrects itself. (Teed & Deng 2020, arXiv 2003.12039)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdm_jax.models.features.raft_encoders import BasicBlock, BottleneckBlock, FrameEncoder, conv
from vdm_jax.nn import BatchNorm, InstanceNorm

REDUCED = 8
"""Pixels on a side of what is one position to the recurrent unit."""


class FlowUpdate(nn.Module):
    """One correction of the flow: `(hidden, flow, seen, context) -> (hidden, flow)`.

    correlation: widths of the convolutions of what was looked up, the first 1 x 1, the others
    3 x 3. flow: those of the flow's, 7 x 7 and 3 x 3. motion: features of both together.
    kernels: of the gated recurrent units that follow each other. head: width inside the layer that
    gives the correction. (Teed & Deng 2020, section 3.3)
    """

    correlation: tuple[int, ...]
    flow: tuple[int, int]
    motion: int
    hidden: int
    kernels: tuple[tuple[int, int], ...]
    head: int

    @nn.compact
    def __call__(self, hidden: Array, flow: Array, seen: Array, context: Array):
        a, m = seen, flow
        for i, width in enumerate(self.correlation):
            a = nn.relu(conv(width, 3 if i else 1, name=f"correlation_{i}")(a))
        for i, width in enumerate(self.flow):
            m = nn.relu(conv(width, 3 if i else 7, name=f"flow_{i}")(m))
        motion = nn.relu(conv(self.motion, 3, name="motion")(jnp.concatenate([a, m], -1)))
        x = jnp.concatenate([context, motion, flow], axis=-1)
        for i, kernel in enumerate(self.kernels):
            both = jnp.concatenate([hidden, x], axis=-1)
            keep = nn.sigmoid(conv(self.hidden, kernel, name=f"z_{i}")(both))
            reset = nn.sigmoid(conv(self.hidden, kernel, name=f"r_{i}")(both))
            both = jnp.concatenate([reset * hidden, x], axis=-1)
            new = jnp.tanh(conv(self.hidden, kernel, name=f"q_{i}")(both))
            hidden = (1 - keep) * hidden + keep * new
        inner = nn.relu(conv(self.head, 3, name="head")(hidden))
        return hidden, flow + conv(2, 3, name="step")(inner)


class BilinearFlow(nn.Module):
    """The flow between positions is that of its neighbours; corners stay corners."""

    @nn.compact
    def __call__(self, flow: Float[Array, "b i j 2"], hidden: Array) -> Float[Array, "b h w 2"]:
        rows, columns = (_between_corners(n) for n in flow.shape[1:3])
        return REDUCED * jnp.einsum("yi,bijc,xj->byxc", rows, flow, columns, precision="highest")


class ConvexFlow(nn.Module):
    """The flow of a pixel is a learned mean of that of nine positions about it.

    (Teed & Deng 2020, section 3.3: upsampling)
    """

    features: int = 256

    @nn.compact
    def __call__(self, flow: Float[Array, "b i j 2"], hidden: Array) -> Float[Array, "b h w 2"]:
        inner = nn.relu(conv(self.features, 3, name="inner")(hidden))
        scores = 0.25 * conv(9 * REDUCED**2, 1, name="shares")(inner)
        b, i, j, _ = flow.shape
        shares = nn.softmax(scores.reshape(b, i, j, 9, REDUCED, REDUCED), axis=3)
        padded = jnp.pad(flow, ((0, 0), (1, 1), (1, 1), (0, 0)))
        near = [padded[:, y : y + i, x : x + j] for y in range(3) for x in range(3)]
        fine = jnp.einsum("bijkpq,kbijc->bipjqc", shares, jnp.stack(near), precision="highest")
        return REDUCED * fine.reshape(b, i * REDUCED, j * REDUCED, 2)


class Raft(nn.Module):
    """The optical flow of RAFT, called as `(first, second) -> flow`.

    Frames are in [-1, 1], their height and width divisible by 8. The flow is (x, y) in pixels: what
    is at p in the first frame is at p + flow(p) in the second.

    radius, levels: how far, and at how many resolutions, a position looks around where it believes
    to be. iterations: how often it corrects itself.
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
                "RAFT compares frames of one shape, height and width divisible by "
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
            seen = lookup(pyramid, start + flow, self.radius).astype(hidden.dtype)
            hidden, flow = update(hidden, flow, seen, context)
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
) -> tuple[Float[Array, "b n y x"], ...]:
    """`<left, right> / sqrt(d)` of all pairs of positions, `right` also shrunk 2, 4, ... times.

    (Teed & Deng 2020, eq. 1; the mean of products is the product with the mean.)
    """
    positions = left.reshape(len(left), -1, left.shape[-1]) * left.shape[-1] ** -0.5
    volumes = []
    for _ in range(levels):
        if 0 in right.shape:
            raise ValueError(
                f"frames of {left.shape[1] * REDUCED} x {left.shape[2] * REDUCED} pixels are too "
                f"small for RAFT's {levels} resolutions: they need {REDUCED * 2 ** (levels - 1)} "
                "pixels each way; enlarge them"
            )
        volumes.append(jnp.einsum("bnd,byxd->bnyx", positions, right, precision="highest"))
        right = nn.avg_pool(right, (2, 2), (2, 2))
    return tuple(volumes)


def lookup(
    pyramid: tuple[Float[Array, "b n y x"], ...], places: Float[Array, "b i j 2"], radius: int
) -> Float[Array, "b i j k"]:
    """What a position finds within `radius` of its place, at every resolution; zeros outside.

    Between positions it is interpolated linearly, by two products with hat functions, which is
    what matrix units are good at. Columns come before rows.
    """
    reach = jnp.arange(-radius, radius + 1, dtype=jnp.float32)
    found = []
    for level, volume in enumerate(pyramid):
        middle = places.astype(jnp.float32).reshape(*volume.shape[:2], 2, 1) / 2**level
        asked = middle + reach.reshape(1, 1, 1, -1)
        columns, rows = (_hats(asked[:, :, i], volume.shape[3 - i]) for i in (0, 1))
        across = jnp.einsum("bnyx,bnkx->bnky", volume, columns, precision="highest")
        seen = jnp.einsum("bnky,bnly->bnkl", across, rows, precision="highest")
        found.append(seen.reshape(*places.shape[:3], -1))
    return jnp.concatenate(found, axis=-1)


def _hats(at: Float[Array, "*n k"], size: int) -> Float[Array, "*n k size"]:
    """How much each of `size` samples counts at a place: `max(0, 1 - |place - sample|)`."""
    samples = jnp.arange(size, dtype=jnp.float32).reshape((1,) * at.ndim + (size,))
    return jax.nn.relu(1 - jnp.abs(at[..., None] - samples))


def _between_corners(size: int) -> Float[Array, "m n"]:
    """The matrix that takes `size` samples to eight times as many, the corners to the corners."""
    fine = jnp.arange(REDUCED * size, dtype=jnp.float32) * ((size - 1) / (REDUCED * size - 1))
    return _hats(fine, size)
