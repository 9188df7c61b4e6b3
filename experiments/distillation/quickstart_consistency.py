"""Consistency distillation of the guided quickstart to 2 steps (Heek et al. 2024, algorithm 1).

    vdm-jax train experiments/quickstart.py --workdir runs/quickstart
    vdm-jax train experiments/distillation/quickstart_consistency.py --workdir runs/consistency

--set task.segments=1 gives one-step consistency distillation (Song et al. 2023, algorithm 2), and 4
gives four steps.
Cost: 900 updates, 6 minutes on two CPU cores that also did other work.

Ours, seed 0: the oracle on 128 samples of 2 steps, and their Frechet distance in pixels to 128
held-out clips (128 training clips: 3.13). The samplers other than the student are those of the
undistilled model under guidance 2, with two calls a step:

              colour   motion   shape   size   clean   distance
    student    1.00     .977    .578   1.00    1.00      2.76
    DDIM        .977    .953    .586    .992    .953     3.80
    Ancestral   .953    .969    .625    .984    .945     4.13
    DPMSolver   .977    .953    .586    .992    .953     3.80
"""

import dataclasses
from pathlib import Path

from vdm_jax import training


def experiment() -> training.Experiment:
    distillation = training.load(Path(__file__).with_name("quickstart.py"))
    assert isinstance(distillation.task, training.Distillation)
    return dataclasses.replace(
        distillation,
        task=training.Consistency(
            distillation.task.denoising,
            teacher="runs/quickstart",
            start_steps=64,
            segments=2,
            guidance=2.0,
        ),
        optimizer=training.Adam(peak=5e-4, warmup=50, decay=training.Cosine(), b2=0.99, ema=0.99),
        steps=900,
    )
