"""What is trained: all that the training loop knows of diffusion."""

from collections.abc import Mapping
from typing import Any, Protocol

from vdm_jax.types import Key, Metrics, Params, Scalar

Batch = Mapping[str, Any]


class Task(Protocol):
    """A loss over batches. `frozen` parameters are used, never updated, never optimised."""

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        """(trained, frozen) parameters for batches of these shapes."""
        ...

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        """The mean loss of a batch, and what else is worth a line in the log.

        A metric is a pair [sum, count], reported as the mean over the steps between two lines, or
        a dict of metrics.
        """
        ...
