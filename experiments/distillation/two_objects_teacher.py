"""A model that needs many steps: two shapes, each with attributes of its own, in 32 pixels.

    vdm-jax train experiments/distillation/two_objects_teacher.py --workdir runs/two_objects

The teacher of two_objects.py: the quickstart's network on four times the pixels. Not run yet.
"""

import dataclasses
from pathlib import Path

from vdm_jax import data, diffusion, evaluation, models, sampling, training


def experiment() -> training.Experiment:
    quickstart = training.load(Path(__file__).parents[1] / "quickstart.py")
    assert isinstance(quickstart.task, training.Denoising)
    source = data.MovingShapes(frames=8, size=32, objects=2)
    words = data.Words(source.vocabulary, length=source.longest_caption)
    model = quickstart.task.model
    assert isinstance(model, models.Patched)
    text = models.WordEncoder(words.size, features=64)
    return dataclasses.replace(
        quickstart,
        task=dataclasses.replace(
            quickstart.task,
            model=model.clone(network=model.network.clone(text=text)),
            process=diffusion.Process(diffusion.ShiftedCosine(resolution=68, noise_resolution=16)),
        ),
        data=source,
        loader=data.Loader(batch=8, text=words),
        sampling=sampling.Generator(sampler=diffusion.DDIM(steps=256), guidance=2.0, batch=64),
        evaluations=(
            evaluation.FrechetDistance(evaluation.PixelFeatures(frames=4, size=8), clips=128),
        ),
        steps=2400,
    )
