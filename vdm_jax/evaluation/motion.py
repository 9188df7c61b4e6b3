"""Statistics of motion: histograms of velocities and accelerations of points, and their distance.

(Liu et al. 2024, "Frechet video motion distance", arXiv 2407.16124, section 3) The published metric
follows points by PIPs++; here tracks are given, or follow a flow, and results say which.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdm_jax.evaluation.flows import Flow, RaftFlow, sample
from vdm_jax.evaluation.frechet import Moments, frechet_distance
from vdm_jax.evaluation.networks import network_input, program
from vdm_jax.evaluation.resizing import Step
from vdm_jax.evaluation.subject import Clips
from vdm_jax.evaluation.warping import flows
from vdm_jax.types import Params

Tracks = Float[np.ndarray, "b f n 2"]
"""Places (x, y) in pixels of n points, which began on a square grid, row by row."""
FASTEST = 256
"""Pixels a frame: the magnitude 1 of a histogram."""


def velocities(tracks: Tracks) -> Tracks:
    """`p_t - p_{t-1}`, zero in the first frame."""
    return np.diff(tracks, axis=1, prepend=tracks[:, :1])


def accelerations(tracks: Tracks) -> Tracks:
    """`p_t - 2 p_{t-1} + p_{t-2}`, zero in the first two frames."""
    second = np.diff(tracks, n=2, axis=1)
    return np.concatenate([np.zeros_like(tracks[:, :2]), second], axis=1)


def released_accelerations(tracks: Tracks) -> Tracks:
    """What FVMD's released code calls accelerations and its numbers contain.

    It is the velocity once more, zero in the first two frames.
    """
    moved = velocities(tracks)
    moved[:, :2] = 0
    return moved


def histograms(
    vectors: Tracks, cell: int = 5, frames: int = 4, angles: int = 8
) -> Float[np.ndarray, "b t i j a"]:
    """How far vectors point each way, summed over cells of `cell` x `cell` points and `frames`.

    A vector counts `ceil(log2(1 + min(|v|, 255))) / 8`, in the bin `floor((phi + pi) / (2 pi / a))`
    of its angle phi = atan2(x, y), the last of which holds pi itself. Frames and points that fill
    no cell are left out.
    """
    b, f, n, _ = vectors.shape
    side = round(n**0.5)
    if side * side != n or side < cell or f < frames:
        raise ValueError(
            f"histograms of motion need a square grid of at least {cell} x {cell} points and "
            f"{frames} frames, not {n} points and {f} frames"
        )
    t, m = f // frames, side // cell
    v = vectors.astype(np.float64).reshape(b, f, side, side, 2)
    v = v[:, : t * frames, : m * cell, : m * cell]
    v = v.reshape(b, t, frames, m, cell, m, cell, 2)
    turn = np.arctan2(v[..., 0], v[..., 1]) + np.pi
    bins = np.clip(turn // (2 * np.pi / angles), 0, angles - 1)
    length = np.clip(np.linalg.norm(v, axis=-1), 0, FASTEST - 1)
    weight = np.ceil(np.log2(length + 1)) / np.log2(FASTEST)
    chosen = [(weight * (bins == a)).sum(axis=(2, 4, 6)) for a in range(angles)]
    return np.stack(chosen, axis=-1)


def motion_features(tracks: Tracks, accelerated=accelerations) -> Float[np.ndarray, "b d"]:
    """The histograms of the velocities and of the accelerations of each clip, side by side."""
    kinds = (velocities(tracks), accelerated(tracks))
    return np.concatenate([histograms(v).reshape(len(tracks), -1) for v in kinds], axis=1)


def motion_distance(a: Moments, b: Moments, epsilon: float = 1e-5) -> float:
    """`|m_a - m_b|^2 + tr S_a + tr S_b - 2 tr ((S_a + eI)(S_b + eI))^(1/2)`, as FVMD has it.

    The e that steadies the root is not taken off again, so that equal sets score `-2 d e`.
    """
    d = len(a.mean)

    def wider(m: Moments) -> Moments:
        return Moments(m.count, m.mean, m.scatter + epsilon * (m.count - 1) * np.eye(d))

    return frechet_distance(wider(a), wider(b)) - 2 * d * epsilon


@dataclass(frozen=True)
class MotionHistograms:
    """The motion of each clip as features [b d], of points that follow a flow.

    points: on a side of the grid on which they begin, `margin` pixels from the edges. pixels: steps
    before the flow is seen, such as a resize to the 256 x 256 of FVMD. Clips are taken as one
    segment, of 16 frames there.
    """

    flow: Flow = RaftFlow()
    points: int = 20
    margin: int = 8
    pixels: tuple[Step, ...] = ()
    batch: int = 1

    @property
    def title(self) -> str:
        return f"motion_histograms_{self.flow.name}"

    @property
    def name(self) -> str:
        return self.title

    def __call__(self, video: Clips) -> Float[np.ndarray, "b d"]:
        return motion_features(self.tracks(video)).astype(np.float32)

    def tracks(self, video: Clips) -> Tracks:
        """Where the points are in every frame."""
        found = program(self, tuple(jax.local_devices()))(video)
        return found.reshape(len(video), video.shape[1], self.points**2, 2)

    def forward(self, params: Params, video: Float[Array, "b f h w c"]) -> Float[Array, "b d"]:
        """The tracks of one batch in a row each, to be compiled."""
        seen = network_input(video, self.pixels)
        fields = flows(self.flow, params, seen[:, :-1], seen[:, 1:])
        height, width = seen.shape[2:4]
        steps = np.arange(self.points) / (self.points - 1)
        x, y = (self.margin + steps * (side - 2 * self.margin) for side in (width, height))
        grid = jnp.asarray(np.stack(np.meshgrid(x, y), axis=-1), jnp.float32)
        start = jnp.broadcast_to(grid[None], (len(video), *grid.shape))

        def follow(places, field):
            places = places + sample(field, places)
            return places, places

        _, later = jax.lax.scan(follow, start, fields.swapaxes(0, 1))
        tracks = jnp.concatenate([start[None], later]).swapaxes(0, 1)
        return tracks.reshape(len(video), -1)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """Those of the flow, for clips of this shape [f h w c]."""
        one = jax.ShapeDtypeStruct((1, *clip), jnp.float32)
        seen = jax.eval_shape(partial(network_input, steps=self.pixels), one)
        return self.flow.parameters(seen.shape[2:4])
