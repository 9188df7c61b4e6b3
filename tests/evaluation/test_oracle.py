"""The oracle is right on true clips, at chance on noise, and equivariant under mirroring."""

from dataclasses import dataclass, replace

import jax
import numpy as np
import pytest

from vdm_jax import data
from vdm_jax.evaluation import MovingShapesOracle, decide
from vdm_jax.evaluation.oracle import decide_all

ATTRIBUTES = ("color", "motion", "shape", "size")
EVERYTHING = data.MovingShapes(
    shapes=("circle", "square", "triangle", "diamond", "ring", "cross"),
    motions=("left", "right", "up", "down", "still", "bounce", "grow"),
    backgrounds=("black", "grey"),
    size=24,
)


def truth(source, count):
    """Held-out clips and their attributes."""
    clips = source.clips("held_out")
    chosen = [clips[i] for i in range(count)]
    shown = [source.attributes(int(element["label"]))[0] for element in chosen]
    return np.stack([element["video"] for element in chosen]), shown


def fractions(decisions, shown) -> dict[str, float]:
    pairs = list(zip(decisions, shown, strict=True))
    return {
        name: float(np.mean([getattr(d, name) == getattr(s, name) for d, s in pairs]))
        for name in ATTRIBUTES
    }


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_true_clips_are_recognized_even_with_noise(size, noise):
    source = data.MovingShapes(size=size)
    videos, shown = truth(source, 300)
    noisy = videos + 255 * noise * np.random.default_rng(0).normal(size=videos.shape)
    decisions = decide_all(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), source)
    assert min(fractions(decisions, shown).values()) >= 0.99
    assert np.mean([decision.clean for decision in decisions]) >= 0.99


def test_all_shapes_and_motions_are_recognized_on_all_backgrounds():
    videos, shown = truth(EVERYTHING, 300)
    decisions = decide_all(videos, EVERYTHING)
    assert min(fractions(decisions, shown).values()) >= 0.99
    assert np.mean([decision.clean for decision in decisions]) >= 0.99


def test_noise_scores_at_chance_and_is_never_clean():
    source = data.MovingShapes()
    _, shown = truth(source, 600)
    noise = np.random.default_rng(0).integers(0, 256, (600, 8, 16, 16, 3), dtype=np.uint8)
    decisions = decide_all(noise, source)
    result = fractions(decisions, shown)
    for name, values in zip(ATTRIBUTES, (7, 5, 3, 2), strict=True):
        chance = 1 / values
        assert abs(result[name] - chance) < 4 * np.sqrt(chance * (1 - chance) / 600), name
    assert not any(decision.clean for decision in decisions)


def test_mirroring_and_reversing_change_only_the_motion():
    source = data.MovingShapes(shapes=("circle", "square"))
    videos, _ = truth(source, 40)
    before = decide_all(videos, source)
    across = {"left": "right", "right": "left", "up": "up", "down": "down", "still": "still"}
    upside = {"left": "left", "right": "right", "up": "down", "down": "up", "still": "still"}
    for moved, motions in (
        (videos[:, :, :, ::-1], across),
        (videos[:, :, ::-1], upside),
        (videos[:, ::-1], {m: across[m] if across[m] != m else upside[m] for m in across}),
    ):
        for old, new in zip(before, decide_all(moved, source), strict=True):
            assert new.motion == motions[old.motion]
            assert (new.shape, new.color, new.size) == (old.shape, old.color, old.size)


def test_frozen_clips_are_still_and_swapped_channels_swap_colors():
    source = data.MovingShapes()
    videos, _ = truth(source, 40)
    before = decide_all(videos, source)
    frozen = decide_all(np.repeat(videos[:, :1], 8, axis=1), source)
    assert {decision.motion for decision in frozen} == {"still"}
    swaps = {"red": "blue", "blue": "red", "yellow": "cyan", "cyan": "yellow"}
    for old, new in zip(before, decide_all(videos[..., ::-1], source), strict=True):
        assert new.color == swaps.get(old.color, old.color)


def test_clips_without_one_whole_bright_shape_are_not_clean():
    source = data.MovingShapes(size=32, motions=("still",), sizes=("small",), colors=("white",))
    left, right = (source.template("circle", 0.16, 32, (x, 0.5)) for x in (0.2, 0.8))

    def clip(frame):
        return np.rint(255 * frame[None, :, :, None] * np.ones((8, 1, 1, 3))).astype(np.uint8)

    assert decide(clip(left), source).clean
    assert not decide(clip(left + right), source).clean
    assert not decide(clip(0.4 * left), source).clean
    assert not decide(clip(0 * left), source).clean
    assert not decide(clip(0 * left + 1), source).clean


def test_clips_may_have_another_size_and_length():
    source = data.MovingShapes(size=16, frames=8)
    videos, shown = truth(replace(source, size=24, frames=5), 50)
    assert min(fractions(decide_all(videos, source), shown).values()) == 1


@dataclass(frozen=True)
class Painter:
    """A model that renders each label, all in the color `paint` if there is one."""

    data: data.MovingShapes
    paint: str | None = None
    process: None = None

    def encode(self, captions, labels):
        assert [self.data.caption(label) for label in labels] == list(captions)
        return list(labels)

    def generate(self, key, cond, count):
        assert len(cond) == count
        rng = np.random.default_rng(0)
        shown = [self.data.attributes(label)[0] for label in cond]
        drawn = [replace(one, color=self.paint or one.color) for one in shown]
        return np.stack([self.data.render(self.data.label([one]), rng) for one in drawn])


def test_scores_of_a_perfect_and_of_a_one_colored_model():
    oracle, source, key = MovingShapesOracle(samples=64), data.MovingShapes(), jax.random.key(0)
    assert oracle.name == "oracle"
    perfect = {"colour": 1, "motion": 1, "shape": 1, "size": 1, "clean": 1, "samples": 64}
    assert oracle(key, Painter(source)) == perfect
    painted = [oracle(key, Painter(source, paint=color)) for color in source.colors]
    assert sum(scores["colour"] for scores in painted) == 1  # each prompt has one of the colors
    assert all(scores | {"colour": 1} == perfect for scores in painted)


def test_invalid_clips_and_sources_are_refused(unchecked):
    source, clip = data.MovingShapes(), np.zeros((8, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="one object, not MovingShapes"):
        decide(clip, data.MovingShapes(objects=2, travel=(0.3, 0.38)))
    with pytest.raises(ValueError, match="needs MovingShapes, not object"):
        decide(clip, object())
    with pytest.raises(ValueError, match="uint8"):
        decide(clip.astype(np.float32), source)
    with pytest.raises(ValueError, match="square"):
        decide(clip[:, :12], source)
    with pytest.raises(ValueError, match=r"has 4 clips and the evaluation needs 128"):
        MovingShapesOracle()(jax.random.key(0), Painter(data.MovingShapes(held_out=4)))
