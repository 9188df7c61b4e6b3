"""Checkpoints: saving and restoring runs, exports, and published weights."""

from vdm_jax.checkpoints.catalogue import PUBLISHED
from vdm_jax.checkpoints.exports import (
    Export,
    check_tensors,
    export_of,
    open_run,
    parameters,
    write_export,
)
from vdm_jax.checkpoints.folders import atomic_folder
from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.published import Published, weights_folder
from vdm_jax.checkpoints.rules import Rule
from vdm_jax.checkpoints.store import (
    CheckpointError,
    Checkpoints,
    Store,
    read_experiment,
    write_experiment,
)
from vdm_jax.checkpoints.weights import Weights, read_weights

__all__ = [
    "PUBLISHED",
    "CheckpointError",
    "Checkpoints",
    "Export",
    "Layout",
    "Published",
    "Rule",
    "Store",
    "Weights",
    "atomic_folder",
    "check_tensors",
    "export_of",
    "open_run",
    "parameters",
    "read_experiment",
    "read_weights",
    "weights_folder",
    "write_experiment",
    "write_export",
]
