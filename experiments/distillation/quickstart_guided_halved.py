"""Guided distillation of the quickstart, stage two: 16 -> ... -> 1 steps (Meng et al. 2023, 3.2).

    vdm-jax train experiments/distillation/quickstart_guided.py --workdir runs/guided
    vdm-jax train experiments/distillation/quickstart_guided_halved.py --workdir runs/halved
    python tests/benchmarks/step_table.py runs/halved

Each batch element has its own guidance weight, the same for student and teacher.
Cost: 1,760 updates.

Ours, seed 0: the oracle on 128 samples at weight 2, and their Frechet distance in pixels to 128
held-out clips (128 training clips: 3.13). All call the network once a step; the samplers other than
the student sample the model of stage one:

    steps               colour   motion   shape   size   clean   distance
     24   DDIM           1.00     1.00     .617   1.00   1.00      3.11
      8   student        1.00      .984    .633   1.00    .992     3.14
      8   DDIM           1.00      .992    .578   1.00    .992     3.37
      8   Ancestral      1.00     1.00     .617   1.00   1.00      3.54
      8   DPMSolver      1.00      .992    .602   1.00   1.00      3.52
      4   student        1.00      .984    .578   1.00    .992     2.99
      4   DDIM            .992     .961    .609    .992   .984     3.51
      4   Ancestral       .984     .961    .633   1.00    .992     4.11
      4   DPMSolver       .992     .969    .602    .992   .984     3.49
      2   student         .984     .977    .555   1.00    .992     2.88
      2   DDIM            .953     .977    .555    .977   .930     3.80
      2   Ancestral       .953     .961    .586    .977   .938     4.22
      2   DPMSolver       .953     .977    .555    .977   .930     3.80
      1   student        1.00      .961    .586   1.00    .969     2.62
      1   any other       .742     .992    .297    .492   .492     5.93
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, metrics, training


def experiment() -> training.Experiment:
    guided = training.load(Path(__file__).with_name("quickstart_guided.py"))
    assert isinstance(guided.task, training.GuidedDistillation)
    oracle = evaluation.MovingShapesOracle(samples=128)
    pixels = evaluation.FrechetDistance(metrics.PixelFeatures(), clips=128)
    return dataclasses.replace(
        guided,
        task=training.Distillation(
            guided.task.denoising,
            teacher="runs/guided",
            weights=guided.task.weights,
            start_steps=16,
            last_lengths=(2, 4, 4),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=0, decay=training.Linear(), b2=0.99, ema=0.0),
        evaluations=(evaluation.FewSteps((oracle, pixels), reference=diffusion.DDIM(24)),),
        steps=160,
    )
