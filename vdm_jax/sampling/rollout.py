"""Long videos, sampled block by block, each block conditioned on frames made before it.

Ho et al. 2022, section 3.1. The frames are uint8 on a `Canvas`, in memory or in a file. A block
reads its known frames and writes its new ones, so neither host nor device memory grows with the
length of the video, and an interrupted rollout resumes with the next block.
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from vdm_jax import diffusion
from vdm_jax.data import to_float
from vdm_jax.models import Conditioning
from vdm_jax.progress import progress_bar
from vdm_jax.sampling.rollout_plans import RolloutPlan
from vdm_jax.storage import atomic_file
from vdm_jax.types import Key

Frames = UInt8[np.ndarray, "b f h w c"]


@runtime_checkable
class CompleteBlock(Protocol):
    """Samples the unknown frames of clips; the result is uint8 [b f h w c]."""

    def __call__(
        self,
        key: Key,
        cond: Conditioning,
        known: diffusion.KnownPixels,
        lowres: diffusion.LowResolution | None = None,
        /,
    ) -> Frames: ...


@dataclasses.dataclass
class Canvas:
    """The frames of `b` long videos, and the number of a plan's blocks that are done.

    frames: uint8 [b f h w c], in memory or memory-mapped.
    done: the number of complete blocks.
    folder: of `frames.npy` and `rollout.json`; None for a canvas in memory.
    facts: JSON that the frames depend on.
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
        """The unfinished canvas of a folder, or a blank one.

        facts: JSON that the frames depend on: plan, seed, conditions.

        Raises:
          ValueError: the folder holds a canvas of other facts.
        """
        folder, facts = Path(folder), json.loads(json.dumps([*shape, facts]))
        record, frames = folder / "rollout.json", folder / "frames.npy"
        if record.exists():
            stored = json.loads(record.read_text())
            if stored["facts"] != facts:
                raise ValueError(
                    f"{folder} holds an unfinished video of another command: finish it with that "
                    "command, or remove the folder"
                )
            return cls(np.lib.format.open_memmap(frames, "r+"), stored["done"], folder, facts)
        folder.mkdir(parents=True, exist_ok=True)
        canvas = cls(np.lib.format.open_memmap(frames, "w+", np.uint8, shape), 0, folder, facts)
        canvas._save_progress()
        return canvas

    def write(self, block: Sequence[int], clips: Frames) -> None:
        """Writes the next block's frames. They are on disk before the block counts as done."""
        self.frames[:, block] = clips
        self.done += 1
        if self.folder is not None:
            self._save_progress()

    def _save_progress(self) -> None:
        assert self.folder is not None and isinstance(self.frames, np.memmap)
        self.frames.flush()
        with atomic_file(self.folder / "rollout.json") as partial:
            partial.write_text(json.dumps({"done": self.done, "facts": self.facts}))


@dataclasses.dataclass(frozen=True)
class LowResFrames:
    """Low-resolution versions of some frames of the long videos.

    video: the low-resolution frames.
    frames: the number of each in the long videos.
    """

    video: UInt8[np.ndarray, "b n h w c"]
    frames: tuple[int, ...]

    def of_block(self, block: Sequence[int]) -> diffusion.LowResolution:
        """The low-resolution frames of a block, masked where there are none."""
        index = {frame: n for n, frame in enumerate(self.frames)}
        mask = np.array([frame in index for frame in block])
        video = self.video[:, [index.get(frame, 0) for frame in block]]
        return diffusion.LowResolution(
            jnp.asarray(to_float(video)), jnp.tile(mask, (len(video), 1))
        )


def rollout(
    complete: CompleteBlock,
    plan: RolloutPlan,
    canvas: Canvas,
    key: Key,
    cond: Conditioning,
    lowres: LowResFrames | None = None,
) -> None:
    """Samples the remaining blocks of a plan, in order, onto the canvas.

    Block i has the key fold_in(key, i), so a resumed rollout gives the same frames. All blocks have
    the same shapes, so one compiled program serves them.

    complete: samples a block.
    lowres: low-resolution frames that the videos agree with.
    """
    if canvas.frames.shape[1] != plan.length:
        raise ValueError(
            f"a plan of {plan.length} frames does not fit a canvas of {canvas.frames.shape[1]} "
            "frames"
        )
    with progress_bar("blocks", len(plan.blocks), canvas.done, lines=False) as advance:
        for number in range(canvas.done, len(plan.blocks)):
            block, mask = plan.blocks[number], np.array(plan.known_masks[number])
            clips = canvas.frames[:, block]
            known = diffusion.KnownPixels(
                jnp.asarray(to_float(clips)), jnp.tile(mask, (len(clips), 1))
            )
            low = None if lowres is None else lowres.of_block(block)
            canvas.write(block, complete(jax.random.fold_in(key, number), cond, known, low))
            advance(1)
