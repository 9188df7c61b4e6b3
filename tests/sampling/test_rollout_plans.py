"""Rollout plans: the frames of each block, and the known ones among them."""

import pytest

from vdm_jax.sampling import RolloutPlan, extension, hierarchical, interpolation

EXTENSION = """\
####........  0
--==##......  1
----==##....  2
------==##..  3
--------==##  4"""

INTERPOLATION = """\
=###=...-...-  0
----=###=...-  1
--------=###=  2"""

KEYFRAMES = """\
#...#...#...#...#  0"""


@pytest.mark.parametrize(("overlap", "blocks"), [(8, 7), (4, 5)])
def test_sixty_four_frames_by_sixteen(overlap, blocks):
    """Ho et al. 2022: 1 + ceil((64 - 16) / (16 - overlap)) blocks."""
    plan = extension(64, 16, overlap)
    assert len(plan.blocks) == blocks and plan.final_frames == tuple(range(64))
    assert [sum(known) for known in plan.known_masks] == [0, *[overlap] * (blocks - 1)]


def test_plans_print_as_drawings():
    assert str(extension(12, 4, 2)) == EXTENSION
    assert str(interpolation(13, 5, 4)) == INTERPOLATION


def test_hierarchical_plans_sample_keyframes_then_the_frames_between():
    coarse, fine = hierarchical(17, 5, 4, 1)
    assert str(coarse) == KEYFRAMES
    assert coarse.final_frames == fine.given_frames == (0, 4, 8, 12, 16)
    assert fine.final_frames == tuple(range(17)) and len(fine.blocks) == 4


def test_the_last_block_ends_with_the_video():
    plan = extension(11, 4, 1)
    assert plan.blocks == ((0, 1, 2, 3), (3, 4, 5, 6), (6, 7, 8, 9), (7, 8, 9, 10))
    assert plan.known_masks[-1] == (True, True, True, False)


def test_given_frames_are_known_and_not_sampled():
    plan = extension(12, 4, 2, given=6)
    assert plan.blocks[0] == (4, 5, 6, 7)
    assert plan.known_masks[0] == (True, True, False, False)
    assert plan.final_frames == tuple(range(12))
    first = extension(8, 8, 0, given=1)
    assert first.known_masks == ((True, *[False] * 7),)


def test_blocks_of_nine_frames_have_three_known_ones():
    """16x64x64 frameskip 4 to frameskip 1 with the 9-frame model: windows at 0, 8, 16, ..."""
    plan = interpolation(65, 9, 4)
    assert len(plan.blocks) == 8
    assert all(block[0] == 8 * i for i, block in enumerate(plan.blocks))
    assert all(
        [i for i, known in enumerate(mask) if known] == [0, 4, 8] for mask in plan.known_masks
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((12, 4, 4), "overlap of 4 frames leaves no new frame"),
        ((12, 4, 2, 1), "1 frames are given, but blocks overlap by 2"),
        ((3, 4, 2), "make it at least 4 frames"),
        ((8, 4, 2, 8), "make it at least 9 frames"),
    ],
)
def test_impossible_extensions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        extension(*arguments)


def test_impossible_plans_are_refused():
    with pytest.raises(ValueError, match="every 8th frame"):
        interpolation(17, 8, 8)
    with pytest.raises(ValueError, match=r"blocks of \[2, 3\] frames"):
        RolloutPlan(5, (), ((0, 1), (1, 2, 3)))
    with pytest.raises(ValueError, match=r"must ascend and lie in 0 .. 4"):
        RolloutPlan(5, (), ((3, 4, 5),))
