"""A network and where its weights are from, as a part of a metric that looks through several."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vdm_jax.evaluation.networks import Random, load_parameters
from vdm_jax.types import Key, Params


@dataclass(frozen=True)
class Pretrained:
    """A linen module, and a name of `checkpoints.PUBLISHED`, a path to such a file, or `Random`."""

    network: Any
    weights: str | Random

    @property
    def name(self) -> str:
        """What it is called in results: its published name, or that of its file."""
        if isinstance(self.weights, Random):
            return f"{type(self.network).__name__}_random_weights"
        return Path(self.weights).name

    @property
    def random_weights(self) -> bool:
        """Whether results say nothing about the clips."""
        return isinstance(self.weights, Random)

    def untrained(self, seed: int = 0) -> "Pretrained":
        """The same network without any file."""
        return replace(self, weights=Random(seed))

    def parameters(self, init: Callable[[Key], Params]) -> Params:
        """Those of the file, or at random, of the shapes of those that `init` would make."""
        return load_parameters(self.network, self.weights, init)
