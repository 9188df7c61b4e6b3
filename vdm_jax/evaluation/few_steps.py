"""Evaluations that compare a distilled model with its undistilled teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from vdm_jax import diffusion
from vdm_jax.data import Source
from vdm_jax.interfaces import Clips, Evaluation, Model, Results, StudentModel
from vdm_jax.types import Key


@dataclass(frozen=True)
class FewSteps:
    """A student and its undistilled teacher at the same number of steps.

    Evaluates the `student` as its experiment samples it, and the teacher by each of `samplers` with
    the student's number of steps, all with the same prompts and initial noise. `step_table` prints
    the halvings of a run in one table.

    measures: the evaluations to apply.
    counts: student steps at which to evaluate; other halvings are skipped.
    samplers: the teacher's samplers; their `steps` are replaced by the student's.
    reference: the sampler of an additional teacher result at the largest count.
    every: training steps between two evaluations; None is at the end of each halving.
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

    def __call__(self, key: Key, model: StudentModel) -> Results:
        if model.steps not in self.counts:
            return {}
        results = {"student": measure_all(key, model, self.measures)}
        teacher = model.teacher()
        for sampler in self.samplers:
            sampler = replace(sampler, steps=model.steps)  # pyright: ignore[reportArgumentType, reportCallIssue]
            result = measure_all(key, teacher.with_sampling(sampler=sampler), self.measures)
            results[type(sampler).__name__] = result
        if model.steps == max(self.counts):
            reference = teacher.with_sampling(sampler=self.reference)
            results["reference"] = measure_all(key, reference, self.measures)
        return {"steps": model.steps, **results}


@dataclass(frozen=True)
class GuidanceSweep:
    """A student conditioned on the guidance weight and its guided teacher, for several weights.

    Both are sampled as their experiments say, with the same prompts and initial noise.

    measures: the evaluations to apply.
    weights: the guidance weights.
    every: training steps between two evaluations; None is at the end of each halving.
    """

    measures: tuple[Evaluation, ...]
    weights: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0)
    every: int | None = None

    @property
    def name(self) -> str:
        return "guidance"

    def __call__(self, key: Key, model: StudentModel) -> Results:
        compared = {"student": model, "teacher": model.teacher()}
        return {
            f"{name} {weight:g}": measure_all(
                key, one.with_sampling(guidance=weight), self.measures
            )
            for weight in self.weights
            for name, one in compared.items()
        }


def measure_all(key: Key, model: Model, measures: Sequence[Evaluation]) -> dict[str, float]:
    """The numbers of all measures in one mapping; identical samples are generated once.

    Raises:
      ValueError: two measures have a number of the same name.
    """
    cached, numbers = CachedModel(model), {}
    for measure in measures:
        new = measure(key, cached)
        if both := [name for name in new if name in numbers and name not in ("samples", "clips")]:
            raise ValueError(f"two measures have a number called {both[0]!r}: remove one of them")
        numbers |= new
    return numbers


class CachedModel:
    """A model that caches its samples by their arguments."""

    def __init__(self, model: Model):
        self.model = model
        self.samples: dict[Any, Clips] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    @property
    def data(self) -> Source:
        return self.model.data

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> Any:
        return self.model.encode(captions, labels)

    def generate(self, key: Key, cond: Any, count: int) -> Clips:
        leaves = jax.tree.leaves((jax.random.key_data(key), cond))
        arguments = count, *(np.asarray(leaf).tobytes() for leaf in leaves)
        if arguments not in self.samples:
            self.samples[arguments] = self.model.generate(key, cond, count)
        return self.samples[arguments]


def step_table(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The `FewSteps` results in a run's `evaluations.jsonl` as lines of text, one per sampler."""
    results = [r["few_steps"] for r in records if r.get("few_steps")]
    rows = [
        (f"{record['steps']:g}" if name != "reference" else "", name, row)
        for record in sorted(results, key=lambda record: -record["steps"])
        for name, row in sorted(record.items(), key=lambda item: item[0] != "reference")
        if isinstance(row, Mapping)
    ]
    columns = [name for name in rows[0][2] if name not in ("samples", "clips")] if rows else []
    lines = [f"{'steps':>5}  {'sampler':<10}" + "".join(f"{c:>10}" for c in columns)]
    for steps, name, row in rows:
        lines.append(f"{steps:>5}  {name:<10}" + "".join(f"{row[c]:>10.3f}" for c in columns))
    return lines
