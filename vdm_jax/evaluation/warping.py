"""The temporal warping error: what is left of a frame's difference from the next once it is moved.

(Lai et al. 2018, arXiv 1808.00449) A video that stands still has none, so that it is reported
together with how much moves.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vdm_jax.evaluation.flows import Field, Flow, RaftFlow, sample, targets
from vdm_jax.evaluation.lpips import halves
from vdm_jax.evaluation.networks import program
from vdm_jax.evaluation.subject import Clips
from vdm_jax.types import Params

Fields = Float[Array, "b f h w 2"]
COLUMNS = ("warping_error", "motion_magnitude", "any_visible")


def visible(forward: Field, backward: Field) -> Bool[Array, "n h w"]:
    """Pixels whose partner in the next frame shows the same thing; M of the warping error.

    With w the flow to the next frame and w' the flow back at the partner: the partner lies in the
    frame, `|w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5` (else one of them is covered), and
    `|grad u|^2 + |grad v|^2 <= 0.01 |w|^2 + 0.002` (else it is the edge of something that moves).
    Gradients are differences to the next pixel, zero at the last.
    (Sundaram, Brox & Keutzer 2010; Ruder et al. 2016, arXiv 1604.08610)
    """
    places = targets(forward)
    last = jnp.array(forward.shape[2:0:-1], forward.dtype).reshape(1, 1, 1, 2) - 1
    inside = jnp.all((places >= 0) & (places <= last), axis=-1)
    back = sample(backward, places)
    there, here = _square(back), _square(forward)
    same = _square(forward + back) <= 0.01 * (here + there) + 0.5
    down = jnp.diff(forward, axis=1, append=forward[:, -1:])
    across = jnp.diff(forward, axis=2, append=forward[:, :, -1:])
    smooth = _square(down) + _square(across) <= 0.01 * here + 0.002
    return inside & same & smooth


def warping_error(
    video: Float[Array, "b f h w c"], forward: Fields, backward: Fields
) -> Float[Array, "b"]:
    """`mean_t sum_i M_i |V_t(i) - V_{t+1}(i + w_t(i))|^2 / sum_i M_i` of videos in [0, 1].

    The squared difference is averaged over the channels: independent frames of white noise score
    twice its variance without flow. forward, backward: [b (f-1) h w 2], from each frame to the next
    and from that one back, of the video itself or of the one that it was made from. Pairs of frames
    of which no pixel is visible do not count; a video of nothing else scores NaN.
    (Lai et al. 2018, evaluation metrics: temporal stability)
    """
    b, f, h, w, c = video.shape
    if f < 2 or forward.shape != (b, f - 1, h, w, 2) or backward.shape != forward.shape:
        raise ValueError(
            f"the warping error of a video {video.shape} needs at least 2 frames and flows "
            f"{(b, f - 1, h, w, 2)} both ways, not {forward.shape} and {backward.shape}"
        )
    ways = (flow.reshape(-1, h, w, 2) for flow in (forward, backward))
    there, back = ways
    first, second = (x.reshape(-1, h, w, c) for x in (video[:, :-1], video[:, 1:]))
    mask = visible(there, back).astype(video.dtype)
    error = jnp.square(first - sample(second, targets(there))).mean(axis=-1)
    seen = mask.sum(axis=(1, 2))
    pairs = jnp.where(seen > 0, (mask * error).sum(axis=(1, 2)) / seen, jnp.nan)
    return jnp.nanmean(pairs.reshape(b, f - 1), axis=1)


def motion_magnitude(forward: Fields) -> Float[Array, "b"]:
    """The mean length of the flow, in pixels a frame."""
    return jnp.sqrt(_square(forward)).mean(axis=(1, 2, 3))


@dataclass(frozen=True)
class WarpingError:
    """The warping error of each clip, its motion, and whether any pixel is visible: `COLUMNS`.

    Of a clip of which none is, the error, which is no number, is given as 0. The flow is that of
    the clip itself, as for videos that are made of text; a frozen one has next to no error.
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
        return program(self, tuple(jax.local_devices()))(video)

    def forward(self, params: Params, video: Float[Array, "b f h w c"]) -> Float[Array, "b 3"]:
        """One batch, to be compiled."""
        return _measured(self.flow, params, video, video)

    def parameters(self, clip: tuple[int, ...]) -> Params:
        """Those of the flow, for clips of this shape [f h w c]."""
        return self.flow.parameters((clip[1], clip[2]))


@dataclass(frozen=True)
class GuidedWarpingError(WarpingError):
    """The same of the first half of each clip's frames, by the flow of the second: the true video.

    For edited, restored and completed videos, where the motion that was asked for is known.
    """

    @property
    def title(self) -> str:
        return f"guided_warping_error_{self.flow.name}"

    def forward(self, params: Params, video: Float[Array, "b f h w c"]) -> Float[Array, "b 3"]:
        made, true = halves(video, self.title)
        return _measured(self.flow, params, made, true)


def flows(flow: Flow, params: Params, first: Array, second: Array) -> Fields:
    """The flow between frames [b f h w c], those of all clips side by side."""
    pairs = (x.astype(jnp.float32).reshape(-1, *x.shape[2:]) for x in (first, second))
    with jax.default_matmul_precision("highest"):
        found = flow(params, *pairs)
    return found.reshape(*first.shape[:-1], 2)


def _measured(flow: Flow, params: Params, video: Array, guide: Array) -> Float[Array, "b 3"]:
    if video.shape[1] < 2:
        raise ValueError("a single frame has no warping error: give clips of at least 2 frames")
    before, after = guide[:, :-1], guide[:, 1:]
    forward, backward = flows(flow, params, before, after), flows(flow, params, after, before)
    error = warping_error(video.astype(jnp.float32) / 255, forward, backward)
    seen = ~jnp.isnan(error)
    columns = [jnp.where(seen, error, 0), motion_magnitude(forward), seen]
    return jnp.stack(columns, axis=1)


def _square(vectors: Float[Array, "*n d"]) -> Float[Array, "*n"]:
    return jnp.square(vectors).sum(axis=-1)
