"""Comparisons of distilled models with their teachers."""

import dataclasses

import jax
import numpy as np
import pytest

from vdm_jax import data, diffusion, evaluation

SOURCE = data.MovingShapes(frames=2, size=8, examples=4, held_out=16)


@dataclasses.dataclass(frozen=True)
class ShadeModel:
    """A model whose clips have a brightness that encodes how they were sampled."""

    sampler: object = diffusion.DDIM(4)
    guidance: float = 1.0
    calls: tuple = ([],)
    data: object = SOURCE
    process = None

    @property
    def steps(self):
        return self.sampler.steps

    def with_sampling(self, **changes):
        return dataclasses.replace(self, **changes)

    def teacher(self):
        return dataclasses.replace(self, guidance=self.guidance + 100)

    def encode(self, captions, labels):
        return np.asarray(labels)

    def generate(self, key, cond, count):
        self.calls[0].append((type(self.sampler).__name__, self.sampler.steps, self.guidance))
        shade = self.sampler.steps + int(self.guidance)
        return np.full((count, 2, 8, 8, 3), shade, np.uint8)


@dataclasses.dataclass(frozen=True)
class Shade:
    """An evaluation: the mean brightness of generated clips."""

    called: str
    every: int | None = None
    name: str = "shade"

    def __call__(self, key, model):
        cond = model.encode(["", ""], [1, 2])
        return {self.called: float(model.generate(key, cond, 2).mean()), "samples": 2}


KEY = jax.random.key(0)


def test_a_student_is_compared_with_its_teacher_at_equal_steps():
    model = ShadeModel(calls=([],))
    few = evaluation.FewSteps((Shade("mean"), Shade("again")), counts=(4, 2))
    result = few(KEY, model)
    assert result["steps"] == 4 and result["student"] == {"mean": 5.0, "again": 5.0, "samples": 2}
    assert result["Ancestral"]["mean"] == 105 and result["reference"]["mean"] == 165
    # Every sampler runs once for all measures; the reference only at the largest count.
    calls = [("DDIM", 4), ("DDIM", 4), ("Ancestral", 4), ("DPMSolver", 4), ("DDIM", 64)]
    assert [call[:2] for call in model.calls[0]] == calls
    assert "reference" not in few(KEY, model.with_sampling(sampler=diffusion.DDIM(2)))
    assert few(KEY, model.with_sampling(sampler=diffusion.DDIM(32))) == {}


def test_the_table_has_a_line_per_sampler_and_halving():
    few = evaluation.FewSteps((Shade("mean"),), counts=(4, 2))
    records = [
        {"step": n, "few_steps": few(KEY, ShadeModel(sampler=diffusion.DDIM(steps)))}
        for n, steps in ((1, 32), (2, 4), (3, 2))
    ]
    head, *rows = evaluation.step_table([{"step": 0, "oracle": {}}, *records])
    assert head.split() == ["steps", "sampler", "mean"]
    assert [row.split()[:-1] for row in rows] == [
        ["reference"],
        *([str(n), name] for n in (4, 2) for name in ("student", "DDIM", "Ancestral", "DPMSolver")),
    ]
    assert [float(row.split()[-1]) for row in rows[:3]] == [165.0, 5.0, 105.0]


def test_the_sweep_covers_student_and_teacher():
    result = evaluation.GuidanceSweep((Shade("mean"),), weights=(1.0, 3.0))(KEY, ShadeModel())
    assert {name: row["mean"] for name, row in result.items()} == {
        "student 1": 5.0,
        "teacher 1": 5.0,
        "student 3": 7.0,
        "teacher 3": 7.0,
    }


def test_measures_with_a_number_of_the_same_name_are_refused():
    with pytest.raises(ValueError, match=r"two measures have a number called 'mean'"):
        evaluation.FewSteps((Shade("mean"), Shade("mean")))(KEY, ShadeModel())
