"""Two shapes in 32 pixels, where few steps are not enough: 256 -> 128 -> ... -> 1.

    vdm-jax train experiments/distillation/two_objects_teacher.py --workdir runs/two_objects
    vdm-jax train experiments/distillation/two_objects.py --workdir runs/two_objects_distilled
    python tests/benchmarks/step_table.py runs/two_objects_distilled

(Salimans & Ho 2022) Not run yet.
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, sampling, training


def experiment() -> training.Experiment:
    teacher = training.load(Path(__file__).with_name("two_objects_teacher.py"))
    assert isinstance(teacher.task, training.Denoising)
    return dataclasses.replace(
        teacher,
        task=training.Distillation(
            dataclasses.replace(
                teacher.task,
                weight=diffusion.TruncatedSNR(),
                times=diffusion.Stratified(),
                drop=0.0,
            ),
            teacher="runs/two_objects",
            start=256,
            guidance=2.0,
            first=4,
            last=(2, 2, 4, 4),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=0, decay=training.Linear(), b2=0.99, ema=0.0),
        sampling=sampling.Distilled(sampler=diffusion.DDIM(steps=256), batch=64),
        evaluations=(
            evaluation.FewSteps(
                teacher.evaluations, counts=(16, 8, 4, 2, 1), reference=diffusion.DDIM(256)
            ),
        ),
        steps=80,
    )
