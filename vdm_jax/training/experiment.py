"""An experiment: everything that a run is, as one tree of objects."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from vdm_jax import config
from vdm_jax.checkpoints import Checkpoints
from vdm_jax.data import Loader, Source
from vdm_jax.parallel import Mesh
from vdm_jax.training.optimizers import Adam
from vdm_jax.training.task import Task, phase_ends
from vdm_jax.types import Key, Params


class Evaluation(Protocol):
    """A measurement of a trained model, taken `every` so many steps, or only where a part ends."""

    @property
    def name(self) -> str: ...
    @property
    def every(self) -> int | None: ...
    def __call__(self, key: Key, subject: Any) -> Mapping[str, Any]: ...


class Sampling(Protocol):
    """How samples are drawn; it makes of trained parameters what evaluations look at."""

    def trained(self, experiment: Any, params: Params, frozen: Params) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One run: what is trained on what, for how long, and how it is measured.

    data and loader: clips, and how they become batches; `loader.batch` is the global batch.
    sampling: how samples are drawn for evaluations and by `vdm-jax sample`.
    steps: updates, of each part of a task that has several (times the part's length).
    log_every: steps between lines of the log.
    patience: updates in a row that may be refused for a non-finite gradient before the run stops.
    """

    task: Task
    data: Source
    loader: Loader = Loader()
    optimizer: Adam = Adam()
    sampling: Sampling | None = None
    evaluations: tuple[Evaluation, ...] = ()
    checkpoints: Checkpoints = Checkpoints()
    mesh: Mesh = Mesh()
    steps: int = 100_000
    log_every: int = 100
    patience: int = 20
    seed: int = 0

    @property
    def ends(self) -> tuple[int, ...]:
        """The step at which each part of the run is over; the last of them is the run's end."""
        return phase_ends(self.task, self.steps)


FREE = ("steps", "log_every", "patience", "evaluations", "checkpoints", "mesh", "sampling")
"""What may change between the parts of one run: nothing that a step's numbers depend on, but for
`steps`, which a decaying learning rate follows."""


def load(path: str | os.PathLike, assignments: Sequence[str] = ()) -> Experiment:
    """The experiment that a Python file's `experiment()` returns, with fields overridden.

    Raises:
      ConfigError: no such file, no `experiment()` in it, or an override that does not fit.
    """
    return config.load(path, ("experiment",), assignments)
