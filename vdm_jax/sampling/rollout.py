"""Videos longer than a model's: block after block, each given what is there of it already.

Ho et al. 2022, section 3.1. Frames live on a `Canvas`, in memory or in a file, as bytes; a block
reads those it looks at and writes those it makes, so that neither host nor device memory grows with
the length of the video, and a run that was stopped goes on with the next block.
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from vdm_jax import diffusion
from vdm_jax.data import to_float
from vdm_jax.models import Conditioning
from vdm_jax.progress import progress
from vdm_jax.sampling.rollout_plans import RolloutPlan
from vdm_jax.types import Key

Frames = UInt8[np.ndarray, "b f h w c"]


class Complete(Protocol):
    """Makes the frames that are not known; the result is bytes [b f h w c]."""

    def __call__(
        self,
        key: Key,
        cond: Conditioning,
        known: diffusion.KnownPixels,
        small: diffusion.LowResolution | None = None,
        /,
    ) -> Frames: ...


@dataclasses.dataclass
class Canvas:
    """The frames of `b` long videos, and how many blocks of a plan have been made.

    folder: where a canvas in a file keeps `frames.npy` and `rollout.json`.
    """

    frames: Frames
    done: int = 0
    folder: Path | None = None
    facts: Any = None

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> "Canvas":
        """Black frames in memory."""
        return cls(np.zeros(shape, np.uint8))

    @classmethod
    def open(cls, folder: str | os.PathLike, shape: tuple[int, ...], facts: Any) -> "Canvas":
        """The canvas in a folder as far as it was made, or a blank one.

        facts: what its frames depend on (plan, seed, conditions), as JSON. Raises ValueError if
        there is a canvas of other facts.
        """
        folder, facts = Path(folder), json.loads(json.dumps([*shape, facts]))
        record, frames = folder / "rollout.json", folder / "frames.npy"
        if record.exists():
            stored = json.loads(record.read_text())
            if stored["facts"] != facts:
                raise ValueError(
                    f"{folder} holds an unfinished video made in another way: finish it with the "
                    "same command, or remove the folder"
                )
            return cls(np.lib.format.open_memmap(frames, "r+"), stored["done"], folder, facts)
        folder.mkdir(parents=True, exist_ok=True)
        canvas = cls(np.lib.format.open_memmap(frames, "w+", np.uint8, shape), 0, folder, facts)
        canvas._record()
        return canvas

    def write(self, block: Sequence[int], made: Frames) -> None:
        """The next block's frames. On disk before it counts as done."""
        self.frames[:, block] = made
        self.done += 1
        if self.folder is not None:
            self._record()

    def _record(self) -> None:
        assert self.folder is not None and isinstance(self.frames, np.memmap)
        self.frames.flush()
        temporary = self.folder / "rollout.json.new"
        temporary.write_text(json.dumps({"done": self.done, "facts": self.facts}))
        os.replace(temporary, self.folder / "rollout.json")


@dataclasses.dataclass(frozen=True)
class LowResFrames:
    """Some `frames` of the long videos at a low resolution."""

    video: UInt8[np.ndarray, "b n h w c"]
    frames: tuple[int, ...]

    def of(self, block: Sequence[int]) -> diffusion.LowResolution:
        """What is known of a block; 0 where nothing is."""
        places = {frame: place for place, frame in enumerate(self.frames)}
        there = np.array([frame in places for frame in block])
        video = self.video[:, [places.get(frame, 0) for frame in block]]
        return diffusion.LowResolution(
            jnp.asarray(to_float(video)), jnp.tile(there, (len(video), 1))
        )


def rollout(
    complete: Complete,
    plan: RolloutPlan,
    canvas: Canvas,
    key: Key,
    cond: Conditioning,
    small: LowResFrames | None = None,
) -> None:
    """Make the blocks of a plan that are not done yet, in order, on the canvas.

    Block i has the key fold_in(key, i), so that a rollout that was stopped ends with the same
    frames. Every block is a call of the same shapes: one compiled program serves them all.
    """
    if canvas.frames.shape[1] != plan.length:
        raise ValueError(
            f"a plan for {plan.length} frames on a canvas of {canvas.frames.shape[1]} frames"
        )
    with progress() as bars:
        bar = bars.add_task("blocks", total=len(plan.blocks), completed=canvas.done)
        for number in range(canvas.done, len(plan.blocks)):
            block, seen = plan.blocks[number], np.array(plan.known[number])
            clip = canvas.frames[:, block]
            known = diffusion.KnownPixels(
                jnp.asarray(to_float(clip)), jnp.tile(seen, (len(clip), 1))
            )
            part = None if small is None else small.of(block)
            made = complete(jax.random.fold_in(key, number), cond, known, part)
            canvas.write(block, made)
            bars.advance(bar)
