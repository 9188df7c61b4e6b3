"""Guided distillation, stage one: the quickstart under guidance, two calls a step, as one call.

    vdm-jax train experiments/quickstart.py --workdir runs/quickstart
    vdm-jax train experiments/distillation/quickstart_guided.py --workdir runs/guided
    vdm-jax sample runs/guided --prompt "a large red circle moving left" --set sampling.guidance=3.0

The student takes the guidance weight, from 1 to 4, as an input; at the end it stands beside its
teacher at four weights. (Meng et al. 2023, section 3.1) Stage two is quickstart_guided_halved.py.

What the oracle says of 128 samples in 24 steps, 24 calls of the student and 48 of the guided
teacher (at weight 1 as many), seed 0, student / teacher:

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
                model=told(quickstart.task.model),
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


def told(model) -> models.Patched:
    """The quickstart's network with the guidance weight among the inputs of its embedding."""
    normed = model.network.embedding
    inputs = (*normed.embedding.inputs, nn.Guidance(reach=8.0))
    embedding = normed.clone(embedding=normed.embedding.clone(inputs=inputs))
    return model.clone(network=model.network.clone(embedding=embedding))
