"""Rollout plans: the blocks in which a long video is sampled.

A model samples `frames` frames at a time. A block lists their numbers in the long video; those that
are given, or in an earlier block, are known and condition the others. `print(plan)` draws a row per
block:

    ####........  0
    --==##......  1    = known   # sampled   - known, but not in this block   . not yet sampled
    ----==##....  2
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class RolloutPlan:
    """The blocks of a long video, all with the same number of frames.

    A plan may leave frames to another plan.

    length: frames of the video.
    given_frames: the frames known before the first block, ascending.
    blocks: the frames of each block, ascending, in 0 .. `length` - 1.
    """

    length: int
    given_frames: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]

    def __post_init__(self):
        if len({len(block) for block in self.blocks}) > 1:
            lengths = sorted({len(block) for block in self.blocks})
            raise ValueError(f"RolloutPlan: blocks of {lengths} frames: make them equally long")
        for block in (self.given_frames, *self.blocks):
            if not all(a < b for a, b in zip((-1, *block), (*block, self.length), strict=True)):
                raise ValueError(
                    f"RolloutPlan: frames {block} must ascend and lie in 0 .. {self.length - 1}"
                )

    @cached_property
    def known_masks(self) -> tuple[tuple[bool, ...], ...]:
        """For every frame of every block, whether it is known before the block is sampled."""
        known, masks = set(self.given_frames), []
        for block in self.blocks:
            masks.append(tuple(frame in known for frame in block))
            known |= set(block)
        return tuple(masks)

    @property
    def final_frames(self) -> tuple[int, ...]:
        """The frames known after the last block."""
        return tuple(sorted(set(self.given_frames).union(*self.blocks)))

    def __str__(self) -> str:
        known, lines = set(self.given_frames), []
        for number, (block, mask) in enumerate(zip(self.blocks, self.known_masks, strict=True)):
            row = ["-" if frame in known else "." for frame in range(self.length)]
            for frame, is_known in zip(block, mask, strict=True):
                row[frame] = "=" if is_known else "#"
            lines.append(f"{''.join(row)}  {number}")
            known |= set(block)
        return "\n".join(lines)


def extension(length: int, frames: int, overlap: int, given: int = 0) -> RolloutPlan:
    """Blocks from the start to the end, each conditioned on the last `overlap` frames before it.

    Without given frames these are 1 + ceil((length - frames) / (frames - overlap)) blocks. The last
    block is shifted back to end with the video.

    length: frames of the video.
    frames: frames per block.
    given: the number of given frames at the start.

    Raises:
      ValueError: a block is longer than the video, has no new frame, or too few known ones.
    """
    if not 0 <= overlap < frames:
        raise ValueError(
            f"an overlap of {overlap} frames leaves no new frame in blocks of {frames}: make it "
            f"0 .. {frames - 1}"
        )
    if given and given < overlap:
        raise ValueError(
            f"{given} frames are given, but blocks overlap by {overlap}: give more frames, or "
            f"overlap by {given}"
        )
    if not max(frames, given + 1) <= length:
        raise ValueError(
            f"a video of {length} frames, {given} of them given, is too short for blocks of "
            f"{frames}: make it at least {max(frames, given + 1)} frames"
        )
    starts = range(max(given - overlap, 0), length - overlap, frames - overlap)
    return RolloutPlan(length, tuple(range(given)), _windows(starts, frames, length))


def interpolation(length: int, frames: int, every: int, overlap: int = 1) -> RolloutPlan:
    """Frames 0, `every`, 2 `every`, ... are given; blocks sample those between, left to right.

    With `every` = `frames` - 1 and `overlap` = 1, each block lies between two given frames.

    Raises:
      ValueError: a block has no given frame, or is longer than the video.
    """
    if not 2 <= every < frames:
        raise ValueError(
            f"interpolation between every {every}th frame in blocks of {frames}: give every 2nd to "
            f"{frames - 1}th frame"
        )
    plain = extension(length, frames, overlap)
    return RolloutPlan(length, tuple(range(0, length, every)), plain.blocks)


def hierarchical(
    length: int, frames: int, every: int, overlap: int
) -> tuple[RolloutPlan, RolloutPlan]:
    """(a plan of every `every`th frame by extension, a plan of the frames between them).

    Ho et al. 2022, section 4.3.2: frameskip 4, then frameskip 1. Run the plans in this order on one
    canvas, the first perhaps with another model, trained at its frame rate.
    """
    coarse = extension(len(range(0, length, every)), frames, overlap)
    keyframes = tuple(tuple(every * frame for frame in block) for block in coarse.blocks)
    return RolloutPlan(length, (), keyframes), interpolation(length, frames, every)


def _windows(starts: Sequence[int], frames: int, length: int) -> tuple[tuple[int, ...], ...]:
    distinct = dict.fromkeys(min(start, length - frames) for start in starts)
    return tuple(tuple(range(start, start + frames)) for start in distinct)
