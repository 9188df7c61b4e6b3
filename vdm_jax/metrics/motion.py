"""Statistics of motion: histograms of velocities and accelerations of points, and their distance.

(Liu et al. 2024, "Frechet video motion distance", arXiv 2407.16124, section 3) The published metric
tracks points with PIPs++. Here tracks are given or follow an optical flow, named in the results.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from vdm_jax.interfaces import Clips
from vdm_jax.metrics.flows import Flow, RaftFlow, bilinear_sample
from vdm_jax.metrics.frechet import Moments, frechet_distance
from vdm_jax.metrics.networks import batched, network_input
from vdm_jax.metrics.resizing import PixelStep
from vdm_jax.metrics.warping import flow_between
from vdm_jax.types import Params

Tracks = Float[np.ndarray, "b f n 2"]
"""Positions (x, y) in pixels of n points that start on a square grid, in row-major order."""
FASTEST = 256
"""Pixels per frame: the speed that counts as 1 in a histogram."""


def velocities(tracks: Tracks) -> Tracks:
    """`p_t - p_{t-1}`, zero in the first frame."""
    return np.diff(tracks, axis=1, prepend=tracks[:, :1])


def accelerations(tracks: Tracks) -> Tracks:
    """`p_t - 2 p_{t-1} + p_{t-2}`, zero in the first two frames."""
    second = np.diff(tracks, n=2, axis=1)
    return np.concatenate([np.zeros_like(tracks[:, :2]), second], axis=1)


def released_accelerations(tracks: Tracks) -> Tracks:
    """The "accelerations" of FVMD's released code and of its published numbers.

    They are the velocities again, zero in the first two frames.
    """
    moved = velocities(tracks)
    moved[:, :2] = 0
    return moved


def histograms(
    vectors: Tracks, cell: int = 5, frames: int = 4, angles: int = 8
) -> Float[np.ndarray, "b t i j a"]:
    """Histograms of angles, weighted by length, over cells of `cell` x `cell` points x `frames`.

    A vector adds `ceil(log2(1 + min(|v|, 255))) / 8` to bin `floor((phi + pi) / (2 pi / a))` of
    its angle phi = atan2(x, y); the last bin includes pi. Incomplete cells are left out.
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
    sums = [(weight * (bins == a)).sum(axis=(2, 4, 6)) for a in range(angles)]
    return np.stack(sums, axis=-1)


def motion_features(tracks: Tracks, accelerated=accelerations) -> Float[np.ndarray, "b d"]:
    """The histograms of each clip's velocities and accelerations, concatenated.

    accelerated: the function for accelerations, such as `released_accelerations`.
    """
    kinds = (velocities(tracks), accelerated(tracks))
    return np.concatenate([histograms(v).reshape(len(tracks), -1) for v in kinds], axis=1)


def motion_distance(a: Moments, b: Moments, epsilon: float = 1e-5) -> float:
    """`|m_a - m_b|^2 + tr S_a + tr S_b - 2 tr ((S_a + eI)(S_b + eI))^(1/2)`, as in FVMD.

    FVMD does not compensate for the e inside the root, so equal sets score `-2 d e`.
    """
    d = len(a.mean)

    def wider(m: Moments) -> Moments:
        return Moments(m.count, m.mean, m.scatter + epsilon * (m.count - 1) * np.eye(d))

    return frechet_distance(wider(a), wider(b)) - 2 * d * epsilon


@dataclass(frozen=True)
class MotionHistograms:
    """Motion histograms [b d] of points that follow an optical flow.

    Each clip is one segment; FVMD's segments have 16 frames.

    flow: the optical flow.
    points: points along each side of the starting grid.
    margin: distance of the grid from the edges, in pixels.
    pixels: steps before the flow, such as a resize to FVMD's 256 x 256.
    batch: clips at a time per device.
    """

    flow: Flow = RaftFlow()
    points: int = 20
    margin: int = 8
    pixels: tuple[PixelStep, ...] = ()
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
        """The positions of the points in every frame."""
        flat = batched(self, tuple(jax.local_devices()))(video)
        return flat.reshape(len(video), video.shape[1], self.points**2, 2)

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "b d"]:
        """The flattened tracks of one batch; the function that is compiled."""
        x = network_input(video, self.pixels)
        fields = flow_between(self.flow, params, x[:, :-1], x[:, 1:])
        height, width = x.shape[2:4]
        steps = np.arange(self.points) / (self.points - 1)
        sides = (self.margin + steps * (side - 2 * self.margin) for side in (width, height))
        grid = jnp.asarray(np.stack(np.meshgrid(*sides), axis=-1), jnp.float32)
        start = jnp.broadcast_to(grid[None], (len(video), *grid.shape))

        def follow(positions, field):
            positions = positions + bilinear_sample(field, positions)
            return positions, positions

        _, moved = jax.lax.scan(follow, start, fields.swapaxes(0, 1))
        tracks = jnp.concatenate([start[None], moved]).swapaxes(0, 1)
        return tracks.reshape(len(video), -1)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """The flow's parameters for clips of this shape [f h w c]."""
        batch = jax.ShapeDtypeStruct((1, *clip), jnp.float32)
        x = jax.eval_shape(partial(network_input, steps=self.pixels), batch)
        return self.flow.parameters(x.shape[2:4])
