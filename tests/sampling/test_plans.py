"""Plans of long videos: what each block makes, and what it looks at."""

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
    assert len(plan.blocks) == blocks and plan.made == tuple(range(64))
    assert [sum(known) for known in plan.known] == [0, *[overlap] * (blocks - 1)]


def test_plans_are_drawn():
    assert str(extension(12, 4, 2)) == EXTENSION
    assert str(interpolation(13, 5, 4)) == INTERPOLATION


def test_keyframes_come_first_and_then_what_lies_between():
    coarse, fine = hierarchical(17, 5, 4, 1)
    assert str(coarse) == KEYFRAMES
    assert coarse.made == fine.given == (0, 4, 8, 12, 16)
    assert fine.made == tuple(range(17)) and len(fine.blocks) == 4


def test_the_last_block_ends_with_the_video():
    plan = extension(11, 4, 1)
    assert plan.blocks == ((0, 1, 2, 3), (3, 4, 5, 6), (6, 7, 8, 9), (7, 8, 9, 10))
    assert plan.known[-1] == (True, True, True, False)


def test_what_is_given_is_looked_at_and_not_made():
    plan = extension(12, 4, 2, given=6)
    assert plan.blocks[0] == (4, 5, 6, 7)
    assert plan.known[0] == (True, True, False, False)
    assert plan.made == tuple(range(12))
    first = extension(8, 8, 0, given=1)
    assert first.known == ((True, *[False] * 7),)


def test_nine_frames_see_three_small_ones():
    """16x64x64 frameskip 4 to frameskip 1 with the 9-frame model: windows at 0, 8, 16, ..."""
    plan = interpolation(65, 9, 4)
    assert len(plan.blocks) == 8
    assert all(block[0] == 8 * i for i, block in enumerate(plan.blocks))
    assert all([i for i, seen in enumerate(k) if seen] == [0, 4, 8] for k in plan.known)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((12, 4, 4), "overlap of 4 frames leaves nothing"),
        ((12, 4, 2, 1), "1 frames are given, but blocks overlap by 2"),
        ((3, 4, 2), "ask for at least 4 frames"),
        ((8, 4, 2, 8), "ask for at least 9 frames"),
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
    with pytest.raises(ValueError, match=r"must rise and lie in 0 .. 4"):
        RolloutPlan(5, (), ((3, 4, 5),))
