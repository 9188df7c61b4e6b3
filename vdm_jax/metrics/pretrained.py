"""A pretrained network, a component of metrics that use several."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vdm_jax.metrics.networks import RandomWeights, load_parameters
from vdm_jax.types import Key, Params


@dataclass(frozen=True)
class Pretrained:
    """A network and its weights.

    network: a linen module.
    weights: a name in `checkpoints.PUBLISHED`, a path to such a file, or `RandomWeights`.
    """

    network: Any
    weights: str | RandomWeights

    @property
    def name(self) -> str:
        """The name in results: the published name, or the file's name."""
        if isinstance(self.weights, RandomWeights):
            return f"{type(self.network).__name__}_random_weights"
        return Path(self.weights).name

    @property
    def random_weights(self) -> bool:
        """Whether the weights are random, so that results mean nothing."""
        return isinstance(self.weights, RandomWeights)

    def untrained(self, seed: int = 0) -> "Pretrained":
        """The same network with random weights."""
        return replace(self, weights=RandomWeights(seed))

    def parameters(self, init: Callable[[Key], Params]) -> Params:
        """Parameters from the file, or random ones, of the shapes that `init` gives."""
        return load_parameters(self.network, self.weights, init)
