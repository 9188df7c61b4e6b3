"""Progressive distillation of the guided quickstart, 64 -> ... -> 1 steps (Salimans & Ho 2022).

    vdm-jax train experiments/quickstart.py --workdir runs/quickstart
    vdm-jax train experiments/distillation/quickstart.py --workdir runs/distilled
    python tests/benchmarks/step_table.py runs/distilled

The first halving learns from the guided teacher: a student calls the network once a step, the
teacher twice.
Cost: 2,400 updates, 19 minutes with evaluations on two CPU cores that also did other work.

Ours, seed 0: the oracle on 128 samples, and their Frechet distance in pixels to 128 held-out clips
(128 training clips: 3.13). The samplers other than the student are those of the undistilled model
under guidance 2, with two calls a step:

    steps               colour   motion   shape   size   clean   distance
     64   DDIM           1.00     1.00     .641   1.00    .992     2.87
      8   student        1.00      .992    .625    .992   .984     2.51
      8   DDIM           1.00      .984    .656    .992   .992     2.99
      8   Ancestral      1.00     1.00     .641   1.00   1.00      3.28
      8   DPMSolver      1.00      .984    .664    .992   .992     3.11
      4   student        1.00      .992    .609   1.00    .992     2.96
      4   DDIM            .992     .984    .578   1.00    .984     3.43
      4   Ancestral       .992     .984    .578    .992   .992     3.61
      4   DPMSolver       .992     .992    .594   1.00    .992     3.42
      2   student         .992     .961    .586    .992   .977     2.56
      2   DDIM            .977     .961    .547    .992   .961     3.52
      2   Ancestral       .969     .992    .555    .984   .922     3.89
      2   DPMSolver       .977     .961    .547    .992   .961     3.52
      1   student        1.00      .984    .562   1.00    .992     2.60
      1   any other       .766     .969    .344    .492   .492     6.50
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, metrics, sampling, training


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
                condition_dropout=0.0,
            ),
            teacher="runs/quickstart",
            start_steps=64,
            guidance=2.0,
            first_length=3,
            last_lengths=(2, 4, 4),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=0, decay=training.Linear(), b2=0.99, ema=0.0),
        sampling=sampling.Distilled(sampler=diffusion.DDIM(steps=64), batch=64),
        evaluations=(
            evaluation.FewSteps(
                (
                    evaluation.MovingShapesOracle(samples=128),
                    evaluation.FrechetDistance(metrics.PixelFeatures(), clips=128),
                )
            ),
        ),
        steps=160,
    )
