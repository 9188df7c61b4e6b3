"""Checkpoints: what a run leaves behind and starts again from."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule
from vdm_jax.checkpoints.store import (
    CheckpointError,
    Checkpoints,
    Store,
    read_experiment,
    write_experiment,
)
from vdm_jax.checkpoints.weights import Weights, weights

__all__ = [
    "CheckpointError",
    "Checkpoints",
    "Layout",
    "Rule",
    "Store",
    "Weights",
    "read_experiment",
    "weights",
    "write_experiment",
]
