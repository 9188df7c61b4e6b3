"""Plans: in which blocks a long video is made, and which of its frames each block may look at.

A model makes `frames` frames at a time. A block says which frames of the long video these are; the
frames that are given, or that an earlier block has made, are its conditions. `print(plan)` draws a
plan before it is run:

    =====###...........  0    = looked at   # made   - given or made, not looked at   . not yet
    ---..
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class RolloutPlan:
    """Blocks of equally many frames, numbered 0 .. `length` - 1 and rising within a block.

    Frames in `given` are there before the first block. A plan may leave frames to another.
    """

    length: int
    given: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]

    def __post_init__(self):
        if len({len(block) for block in self.blocks}) > 1:
            raise ValueError(f"Plan: blocks of {sorted({len(b) for b in self.blocks})} frames")
        for block in (self.given, *self.blocks):
            if not all(a < b for a, b in zip((-1, *block), (*block, self.length), strict=True)):
                raise ValueError(
                    f"Plan: frames {block} must rise and lie in 0 .. {self.length - 1}"
                )

    @cached_property
    def known(self) -> tuple[tuple[bool, ...], ...]:
        """For every frame of every block, whether it is there before the block is made."""
        there, known = set(self.given), []
        for block in self.blocks:
            known.append(tuple(frame in there for frame in block))
            there |= set(block)
        return tuple(known)

    @property
    def made(self) -> tuple[int, ...]:
        """The frames that are there in the end."""
        return tuple(sorted(set(self.given).union(*self.blocks)))

    def __str__(self) -> str:
        there, lines = set(self.given), []
        for number, (block, known) in enumerate(zip(self.blocks, self.known, strict=True)):
            row = ["-" if frame in there else "." for frame in range(self.length)]
            for frame, seen in zip(block, known, strict=True):
                row[frame] = "=" if seen else "#"
            lines.append(f"{''.join(row)}  {number}")
            there |= set(block)
        return "\n".join(lines)


def extension(length: int, frames: int, overlap: int, given: int = 0) -> RolloutPlan:
    """From the beginning to the end: each block looks at the `overlap` frames before what it makes.

    1 + ceil((length - frames) / (frames - overlap)) blocks if nothing is given. `given` frames at
    the beginning are there already. The last block is moved back so that it ends with the video.

    Raises ValueError where a block is longer than the video, makes nothing or sees too little.
    """
    if not 0 <= overlap < frames:
        raise ValueError(f"an overlap of {overlap} frames leaves nothing to make in {frames}")
    if given and given < overlap:
        raise ValueError(
            f"{given} frames are given, but blocks overlap by {overlap}: give more frames, or "
            f"overlap by {given}"
        )
    if not max(frames, given + 1) <= length:
        raise ValueError(
            f"a video of {length} frames, of which {given} are given, in blocks of {frames}: "
            f"ask for at least {max(frames, given + 1)} frames"
        )
    starts = range(max(given - overlap, 0), length - overlap, frames - overlap)
    return RolloutPlan(length, tuple(range(given)), _windows(starts, frames, length))


def interpolation(length: int, frames: int, every: int, overlap: int = 1) -> RolloutPlan:
    """Frames 0, `every`, 2 `every`, ... are given; the blocks fill in between, from left to right.

    With `every` = `frames` - 1 and `overlap` 1 each block lies between two given frames.

    Raises ValueError where a block would see nothing given, or the video ends before it.
    """
    if not 2 <= every < frames:
        raise ValueError(
            f"every {every}th frame is given, blocks have {frames} frames: give every 2nd to "
            f"{frames - 1}th"
        )
    plain = extension(length, frames, overlap)
    return RolloutPlan(length, tuple(range(0, length, every)), plain.blocks)


def hierarchical(
    length: int, frames: int, every: int, overlap: int
) -> tuple[RolloutPlan, RolloutPlan]:
    """Keyframes `every` so many frames by extension, then everything between them.

    Ho et al. 2022, section 4.3.2: frameskip 4, then frameskip 1. Two plans, for the keyframes may
    be made by another model, one trained at that frame rate; run one after the other on one canvas.
    """
    coarse = extension(len(range(0, length, every)), frames, overlap)
    keyframes = tuple(tuple(every * frame for frame in block) for block in coarse.blocks)
    return RolloutPlan(length, (), keyframes), interpolation(length, frames, every)


def _windows(starts: Sequence[int], frames: int, length: int) -> tuple[tuple[int, ...], ...]:
    distinct = dict.fromkeys(min(start, length - frames) for start in starts)
    return tuple(tuple(range(start, start + frames)) for start in distinct)
