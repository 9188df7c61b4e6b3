"""Checkpoints: what a run leaves behind and starts again from."""

from vdm_jax.checkpoints.store import (
    CheckpointError,
    Checkpoints,
    Store,
    read_experiment,
    write_experiment,
)

__all__ = ["CheckpointError", "Checkpoints", "Store", "read_experiment", "write_experiment"]
