"""Experiments, models and cascades from the paths on a command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from etils import epath

from vdm_jax import checkpoints, config, sampling, training
from vdm_jax.checkpoints.store import EXPERIMENT
from vdm_jax.interfaces import Evaluation


def is_run(path: str) -> bool:
    """Whether a path is a folder with an `experiment.json`: a run or an export."""
    return (Path(path) / EXPERIMENT).exists()


def load_experiment(path: str, assignments: Sequence[str] = ()) -> training.Experiment:
    """The experiment of a file or of a run's folder, with fields overridden."""
    if not Path(path).is_dir():
        return training.load(path, assignments)
    return config.override(checkpoints.read_experiment(path), *assignments)


def load_experiments(
    path: str, assignments: Sequence[str] = ()
) -> list[tuple[str, training.Experiment]]:
    """(name, experiment) of each stage of a cascade, or of one file or run; [] for other files."""
    if not path.endswith(".py"):
        return [(Path(path).name, load_experiment(path, assignments))] if is_run(path) else []
    node = config.load(path, ("experiment", "cascade"), assignments)
    if isinstance(node, sampling.Cascade):
        experiments = cast(list[training.Experiment], node.experiments())
        return list(zip((s.name for s in node.stages), experiments, strict=True))
    return [(Path(path).stem, node)]


def load_cascade(
    path: str, assignments: Sequence[str] = (), step: int | None = None
) -> sampling.Cascade | None:
    """The cascade of a file, or a super-resolution run as a cascade of one stage; else None."""
    if path.endswith(".py"):
        return config.load(path, ("cascade",), assignments)
    experiment = config.override(checkpoints.read_experiment(path), *assignments)
    if sampling.lowres_of(experiment) is None:
        return None
    stage = sampling.Stage(path, experiment.sampling, step)
    return sampling.Cascade((stage,), data=experiment.data, evaluations=experiment.evaluations)


@dataclass(frozen=True)
class LoadedModel:
    """A trained model or cascade to evaluate.

    step: the checkpoint's step; 0 for a cascade.
    evaluations: those that its experiment names.
    folder: where evaluations.jsonl is.
    """

    step: int
    model: sampling.TrainedModel | sampling.CascadeModel
    evaluations: tuple[Evaluation, ...]
    folder: epath.Path


def load_model(path: str, step: int | None, assignments: Sequence[str]) -> LoadedModel:
    """The model of a run's folder or of a cascade's file."""
    if not path.endswith(".py"):
        step, model = sampling.load(path, step, assignments)
        return LoadedModel(step, model, model.experiment.evaluations, epath.Path(path))
    cascade: sampling.Cascade = config.load(path, ("cascade",), assignments)
    cascade.check()
    folder = epath.Path(cascade.stages[-1].workdir).parent
    return LoadedModel(0, sampling.CascadeModel(cascade), cascade.evaluations, folder)
