"""Changes to the levels of a denoising task's U-Net, for benchmarks that compare them."""

import dataclasses
from collections.abc import Callable

from vdm_jax import models, nn, training


def with_levels(
    task: training.Denoising, change: Callable[[models.Level], models.Level]
) -> training.Denoising:
    """The task with `change` applied to every level of its U-Net."""

    def changed(model):
        if isinstance(model, models.Patched):
            return model.clone(network=changed(model.network))
        return model.clone(levels=tuple(map(change, model.levels)))

    return dataclasses.replace(task, model=changed(task.model))


def with_implementation(
    level: models.Level, implementation: nn.AttentionImplementation
) -> models.Level:
    """The level with this implementation of spatial attention."""
    mixers = tuple(
        m.clone(implementation=implementation) if type(m) is nn.SpatialAttention else m
        for m in level.mixers
    )
    return dataclasses.replace(level, mixers=mixers)
