"""Guided distillation of the quickstart, stage one: one call a step (Meng et al. 2023, 3.1).

    vdm-jax train experiments/quickstart.py --workdir runs/quickstart
    vdm-jax train experiments/distillation/quickstart_guided.py --workdir runs/guided
    vdm-jax sample runs/guided --prompt "a large red circle moving left" --set sampling.guidance=3.0

The student takes the guidance weight, 1 to 4, as an input. After training it is compared with its
teacher at four weights. Stage two is quickstart_guided_halved.py.
Cost: 800 updates.

Ours, seed 0: the oracle on 128 samples of 24 steps, student / teacher. The student calls the
network 24 times; the guided teacher 48 times (24 at weight 1):

    weight     colour        motion         shape         size          clean
      1      1.00 /  .99    .93 /  .95    .60 / .58     .98 /  .98     .98 / .98
      2      1.00 / 1.00    .98 / 1.00    .59 / .65     .99 / 1.00     .99 / .99
      3      1.00 / 1.00   1.00 / 1.00    .64 / .64    1.00 / 1.00    1.00 / .99
      4      1.00 / 1.00   1.00 / 1.00    .59 / .63    1.00 / 1.00    1.00 / 1.00
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, models, nn, sampling, training


def experiment() -> training.Experiment:
    quickstart = training.load(Path(__file__).parents[1] / "quickstart.py")
    assert isinstance(quickstart.task, training.Denoising)
    return dataclasses.replace(
        quickstart,
        task=training.GuidedDistillation(
            dataclasses.replace(
                quickstart.task,
                model=with_guidance_input(quickstart.task.model),
                weight=diffusion.TruncatedSNR(),
                times=diffusion.Stratified(),
                condition_dropout=0.0,
            ),
            teacher="runs/quickstart",
            weights=(1.0, 4.0),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=50, decay=training.Cosine(), b2=0.99, ema=0.99),
        sampling=sampling.Distilled(sampler=diffusion.DDIM(steps=24), guidance=2.0, batch=64),
        evaluations=(evaluation.GuidanceSweep((evaluation.MovingShapesOracle(samples=128),)),),
        steps=800,
    )


def with_guidance_input(model) -> models.Patched:
    """The network with the guidance weight as a further input of its embedding."""
    normed = model.network.embedding
    inputs = (*normed.embedding.inputs, nn.Guidance(reach=8.0))
    embedding = normed.clone(embedding=normed.embedding.clone(inputs=inputs))
    return model.clone(network=model.network.clone(embedding=embedding))
