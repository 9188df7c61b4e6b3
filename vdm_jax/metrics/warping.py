"""The temporal warping error: the difference between a frame and the next one warped onto it.

(Lai et al. 2018, arXiv 1808.00449) The error of a static video is zero, so it is reported together
with the magnitude of the motion.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num

from vdm_jax.interfaces import Clips
from vdm_jax.metrics.flows import Field, Flow, RaftFlow, bilinear_sample, target_positions
from vdm_jax.metrics.lpips import split_halves
from vdm_jax.metrics.networks import batched
from vdm_jax.types import Params

Fields = Float[Array, "b f h w 2"]
Between = Float[Array, "b f-1 h w 2"]
COLUMNS = ("warping_error", "motion_magnitude", "any_visible")


def visibility_mask(forward: Field, backward: Field) -> Bool[Array, "n h w"]:
    """The mask M of the warping error: pixels visible in both frames and off motion boundaries.

    With w = (u, v) the flow to the next frame and w' the flow back at the target: the target lies
    in the frame; `|w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5` (else occluded); and
    `|grad u|^2 + |grad v|^2 <= 0.01 |w|^2 + 0.002` (else a motion boundary). Gradients are
    differences to the next pixel, zero at the last.
    (Sundaram, Brox & Keutzer 2010; Ruder et al. 2016, arXiv 1604.08610)
    """
    positions = target_positions(forward)
    last = jnp.array(forward.shape[2:0:-1], forward.dtype).reshape(1, 1, 1, 2) - 1
    inside = jnp.all((positions >= 0) & (positions <= last), axis=-1)
    back = bilinear_sample(backward, positions)
    unoccluded = _square(forward + back) <= 0.01 * (_square(forward) + _square(back)) + 0.5
    down = jnp.diff(forward, axis=1, append=forward[:, -1:])
    across = jnp.diff(forward, axis=2, append=forward[:, :, -1:])
    smooth = _square(down) + _square(across) <= 0.01 * _square(forward) + 0.002
    return inside & unoccluded & smooth


def warping_error(
    video: Float[Array, "b f h w c"], forward: Between, backward: Between
) -> Float[Array, "b"]:
    """`mean_t sum_i M_i |V_t(i) - V_{t+1}(i + w_t(i))|^2 / sum_i M_i` of videos in [0, 1].

    The squared difference is averaged over channels: independent frames of white noise score twice
    their variance without flow. Pairs of frames without a visible pixel do not count; a video of
    such pairs only scores NaN. (Lai et al. 2018, evaluation metrics: temporal stability)

    forward: [b (f-1) h w 2], flow from each frame to the next, of the video itself or of the video
      that it was made from.
    backward: [b (f-1) h w 2], flow back from the next frame.
    """
    b, f, h, w, c = video.shape
    if f < 2 or forward.shape != (b, f - 1, h, w, 2) or backward.shape != forward.shape:
        raise ValueError(
            f"the warping error of a video {video.shape} needs at least 2 frames and flows "
            f"{(b, f - 1, h, w, 2)} both ways, not {forward.shape} and {backward.shape}"
        )
    there, back = (flow.reshape(-1, h, w, 2) for flow in (forward, backward))
    first, second = (x.reshape(-1, h, w, c) for x in (video[:, :-1], video[:, 1:]))
    mask = visibility_mask(there, back).astype(video.dtype)
    error = jnp.square(first - bilinear_sample(second, target_positions(there))).mean(axis=-1)
    visible = mask.sum(axis=(1, 2))
    pairs = jnp.where(visible > 0, (mask * error).sum(axis=(1, 2)) / visible, jnp.nan)
    return jnp.nanmean(pairs.reshape(b, f - 1), axis=1)


def motion_magnitude(forward: Fields) -> Float[Array, "b"]:
    """The mean length of the flow, in pixels per frame."""
    return jnp.sqrt(_square(forward)).mean(axis=(1, 2, 3))


@dataclass(frozen=True)
class WarpingError:
    """Warping error, motion magnitude, and whether any pixel is visible, per clip: `COLUMNS`.

    The flow is that of the clip itself, as for text-to-video. The error of a clip without visible
    pixels is undefined and given as 0. A static clip has almost no error.

    flow: the optical flow.
    batch: clips at a time per device.
    """

    flow: Flow = RaftFlow()
    batch: int = 1

    @property
    def title(self) -> str:
        return f"warping_error_{self.flow.name}"

    @property
    def name(self) -> str:
        return self.title

    def __call__(self, video: Clips) -> Float[np.ndarray, "b 3"]:
        return batched(self, tuple(jax.local_devices()))(video)

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "b 3"]:
        """The numbers of one batch; the function that is compiled."""
        return _measure(self.flow, params, video, video)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """The flow's parameters for clips of this shape [f h w c]."""
        return self.flow.parameters((clip[1], clip[2]))


@dataclass(frozen=True)
class GuidedWarpingError(WarpingError):
    """The warping error of the first half of each clip's frames by the flow of the second half.

    The second half is the true video: for editing, restoration and completion, where the true
    motion is known.
    """

    @property
    def title(self) -> str:
        return f"guided_warping_error_{self.flow.name}"

    def forward(self, params: Params, video: Num[Array, "b f h w c"]) -> Float[Array, "b 3"]:
        generated, true = split_halves(video, self.title)
        return _measure(self.flow, params, generated, true)


def flow_between(flow: Flow, params: Params, first: Array, second: Array) -> Fields:
    """The flow from frames `first` [b f h w c] to `second`, with clips folded into the batch."""
    pairs = (x.astype(jnp.float32).reshape(-1, *x.shape[2:]) for x in (first, second))
    with jax.default_matmul_precision("highest"):
        fields = flow(params, *pairs)
    return fields.reshape(*first.shape[:-1], 2)


def _measure(flow: Flow, params: Params, video: Array, guide: Array) -> Float[Array, "b 3"]:
    if video.shape[1] < 2:
        raise ValueError("the warping error needs clips of at least 2 frames, not 1")
    before, after = guide[:, :-1], guide[:, 1:]
    forward, backward = (
        flow_between(flow, params, before, after),
        flow_between(flow, params, after, before),
    )
    error = warping_error(video.astype(jnp.float32) / 255, forward, backward)
    defined = ~jnp.isnan(error)
    columns = [jnp.where(defined, error, 0), motion_magnitude(forward), defined]
    return jnp.stack(columns, axis=1)


def _square(vectors: Float[Array, "*n d"]) -> Float[Array, "*n"]:
    return jnp.square(vectors).sum(axis=-1)
