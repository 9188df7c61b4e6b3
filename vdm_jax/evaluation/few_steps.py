"""Distilled models beside the models that they were made of, by any measures of samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import numpy as np

from vdm_jax import diffusion
from vdm_jax.data import Source
from vdm_jax.evaluation.subject import Clips, Evaluation, Model, Results
from vdm_jax.types import Denoiser, Key


class Sampled(Model, Protocol):
    """A subject that can be sampled in other ways."""

    def sampled(self, *, sampler: Any = ..., guidance: Any = ...) -> "Sampled": ...


class Student(Sampled, Protocol):
    """A distilled subject: how many calls a sample of it takes, and what it was distilled from."""

    @property
    def steps(self) -> int: ...
    def teacher(self) -> Sampled: ...


@dataclass(frozen=True)
class FewSteps:
    """A student beside its first teacher at as many steps, each by every sampler.

    Taken where a halving ends at one of `counts` steps: the `student` as the experiment samples it
    and the undistilled model by each of `samplers`, whose `steps` become the student's. At the
    largest count the undistilled model is also sampled by `reference`. All see the same prompts and
    the same first noise. `step_table` puts the halvings of a run in one table.
    """

    measures: tuple[Evaluation, ...]
    counts: tuple[int, ...] = (8, 4, 2, 1)
    samplers: tuple[diffusion.Sampler, ...] = (
        diffusion.DDIM(1),
        diffusion.Ancestral(1),
        diffusion.DPMSolver(1),
    )
    reference: diffusion.Sampler = diffusion.DDIM(64)
    every: int | None = None

    @property
    def name(self) -> str:
        return "few_steps"

    def __call__(self, key: Key, subject: Student) -> Results:
        if subject.steps not in self.counts:
            return {}
        rows = {"student": measured(key, subject, self.measures)}
        teacher = subject.teacher()
        for sampler in self.samplers:
            sampler = replace(sampler, steps=subject.steps)  # pyright: ignore[reportArgumentType, reportCallIssue]
            row = measured(key, teacher.sampled(sampler=sampler), self.measures)
            rows[type(sampler).__name__] = row
        if subject.steps == max(self.counts):
            other = teacher.sampled(sampler=self.reference)
            rows["reference"] = measured(key, other, self.measures)
        return {"steps": subject.steps, **rows}


@dataclass(frozen=True)
class GuidanceSweep:
    """A student that is told the guidance weight beside its guided teacher, weight by weight.

    Each as its own experiment samples it otherwise, on the same prompts and first noise.
    """

    measures: tuple[Evaluation, ...]
    weights: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0)
    every: int | None = None

    @property
    def name(self) -> str:
        return "guidance"

    def __call__(self, key: Key, subject: Student) -> Results:
        subjects = {"student": subject, "teacher": subject.teacher()}
        return {
            f"{name} {weight:g}": measured(key, one.sampled(guidance=weight), self.measures)
            for weight in self.weights
            for name, one in subjects.items()
        }


def measured(key: Key, subject: Model, measures: Sequence[Evaluation]) -> dict[str, float]:
    """The numbers of all measures in one row; what they sample alike is sampled once."""
    subject, row = Once(subject), {}
    for measure in measures:
        found = measure(key, subject)
        if taken := [name for name in found if name in row and name not in ("samples", "clips")]:
            raise ValueError(f"two measures have a number called {taken[0]!r}; take one of them")
        row |= found
    return row


class Once:
    """A subject that remembers the samples it has drawn."""

    def __init__(self, subject: Model):
        self.subject = subject
        self.drawn: dict[Any, Clips] = {}

    @property
    def process(self) -> diffusion.Process:
        return self.subject.process

    @property
    def data(self) -> Source:
        return self.subject.data

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> Any:
        return self.subject.encode(captions, labels)

    def denoiser(self, cond: Any) -> Denoiser:
        return self.subject.denoiser(cond)

    def generate(self, key: Key, cond: Any, count: int) -> Clips:
        leaves = jax.tree.leaves((jax.random.key_data(key), cond))
        name = count, *(np.asarray(leaf).tobytes() for leaf in leaves)
        if name not in self.drawn:
            self.drawn[name] = self.subject.generate(key, cond, count)
        return self.drawn[name]


def step_table(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What `FewSteps` found in a run's `evaluations.jsonl`, as lines of text: a row a sampler."""
    found = [r["few_steps"] for r in records if r.get("few_steps")]
    rows = [
        (f"{record['steps']:g}" if name != "reference" else "", name, row)
        for record in sorted(found, key=lambda record: -record["steps"])
        for name, row in sorted(record.items(), key=lambda item: item[0] != "reference")
        if isinstance(row, Mapping)
    ]
    columns = [name for name in rows[0][2] if name not in ("samples", "clips")] if rows else []
    lines = [f"{'steps':>5}  {'sampler':<10}" + "".join(f"{c:>10}" for c in columns)]
    for steps, name, row in rows:
        lines.append(f"{steps:>5}  {name:<10}" + "".join(f"{row[c]:>10.3f}" for c in columns))
    return lines
