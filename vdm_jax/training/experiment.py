"""An experiment: everything that defines a run, as one tree of objects."""

import dataclasses
import os
from collections.abc import Sequence

from vdm_jax import config
from vdm_jax.checkpoints import Checkpoints
from vdm_jax.data import Loader, Source
from vdm_jax.interfaces import Evaluation, Sampling, Task
from vdm_jax.parallel import Mesh
from vdm_jax.training.optimizers import Adam
from vdm_jax.training.phases import phase_ends


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One run: what is trained, on which data, for how long, and how it is evaluated.

    task: the loss and its network.
    data: the clips.
    loader: how clips become batches; `loader.batch` is the global batch size.
    optimizer: the update rule and the average of the parameters.
    sampling: how evaluations and `vdm-jax sample` draw samples; None for tasks without samples.
    evaluations: what is measured during training.
    checkpoints: when to save, and which checkpoints stay.
    mesh: the device mesh.
    steps: updates; of a phased task, updates per unit of a phase's length.
    log_every: steps between lines of the log.
    patience: consecutive updates skipped for a non-finite gradient before the run stops.
    seed: of parameters, batches, noise and evaluations.
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
    def phase_ends(self) -> tuple[int, ...]:
        """The step at which each phase ends; the last is the run's end."""
        return phase_ends(self.task, self.steps)


CHANGEABLE_FIELDS = (
    "steps",
    "log_every",
    "patience",
    "evaluations",
    "checkpoints",
    "mesh",
    "sampling",
)
"""Fields that may change when a run resumes. The numbers of a step depend on none of them but
`steps`, which a decaying learning rate follows."""


def load(path: str | os.PathLike, assignments: Sequence[str] = ()) -> Experiment:
    """The experiment that a Python file's `experiment()` returns, with fields overridden.

    assignments: overrides such as `optimizer.peak=1e-4`.

    Raises:
      ConfigError: the file or its `experiment()` is missing, or an override does not fit.
    """
    return config.load(path, ("experiment",), assignments)
