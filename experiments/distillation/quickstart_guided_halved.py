"""Guided distillation, stage two: what knows the guidance weight, in 16 -> 8 -> 4 -> 2 -> 1 steps.

    vdm-jax train experiments/distillation/quickstart_guided.py --workdir runs/guided
    vdm-jax train experiments/distillation/quickstart_guided_halved.py --workdir runs/halved
    python tests/benchmarks/step_table.py runs/halved

Every row has a weight of its own, which student and teacher share. (Meng et al. 2023, section 3.2)
Not run to its end yet.
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, training


def experiment() -> training.Experiment:
    guided = training.load(Path(__file__).with_name("quickstart_guided.py"))
    assert isinstance(guided.task, training.GuidedDistillation)
    oracle = evaluation.MovingShapesOracle(samples=128)
    pixels = evaluation.FrechetDistance(evaluation.PixelFeatures(), clips=128)
    return dataclasses.replace(
        guided,
        task=training.Distillation(
            guided.task.denoising,
            teacher="runs/guided",
            weights=guided.task.weights,
            start=16,
            last=(2, 4, 4),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=0, decay=training.Linear(), b2=0.99, ema=0.0),
        evaluations=(
            evaluation.FewSteps((oracle, pixels), reference=diffusion.DDIM(24)),
            evaluation.GuidanceSweep((oracle,)),
        ),
        steps=160,
    )
