"""The quickstart's model, guidance and all, in one call of the network: 64 -> 32 -> ... -> 1 steps.

    vdm-jax train experiments/quickstart.py --workdir runs/quickstart
    vdm-jax train experiments/distillation/quickstart.py --workdir runs/distilled
    python tests/benchmarks/step_table.py runs/distilled

The first halving learns from the guided teacher, so that a sample of a student takes one call a
step where the teacher's takes two. (Salimans & Ho 2022) Not run to its end yet.
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, sampling, training


def experiment() -> training.Experiment:
    quickstart = training.load(Path(__file__).parents[1] / "quickstart.py")
    assert isinstance(quickstart.task, training.Denoising)
    return dataclasses.replace(
        quickstart,
        task=training.Distillation(
            dataclasses.replace(
                quickstart.task,
                weight=diffusion.TruncatedSNR(),
                times=diffusion.Stratified(),
                drop=0.0,
            ),
            teacher="runs/quickstart",
            start=64,
            guidance=2.0,
            first=3,
            last=(2, 4, 4),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=0, decay=training.Linear(), b2=0.99, ema=0.0),
        sampling=sampling.Distilled(sampler=diffusion.DDIM(steps=64), batch=64),
        evaluations=(
            evaluation.FewSteps(
                (
                    evaluation.MovingShapesOracle(samples=128),
                    evaluation.FrechetDistance(evaluation.PixelFeatures(), clips=128),
                )
            ),
        ),
        steps=160,
    )
