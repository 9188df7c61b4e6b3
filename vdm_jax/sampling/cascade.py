"""Cascades: a base model makes a small, short video, and the next models upsample it in turn.

Each stage is a run of its own; a cascade lists their folders and how each is sampled.
(Ho et al. 2022, Imagen Video, section 2.3)
"""

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import UInt8

from vdm_jax import config
from vdm_jax.checkpoints import CheckpointError, read_experiment
from vdm_jax.checkpoints.store import list_steps
from vdm_jax.data import Source, sides
from vdm_jax.interfaces import Clips, DiffusionTask, Evaluation, Experiment, LowRes
from vdm_jax.sampling.base_generator import BaseGenerator
from vdm_jax.sampling.trained_model import TrainedModel, load
from vdm_jax.storage import atomic_file
from vdm_jax.types import Key

Shape = tuple[int, int, int]
"""Frames, height and width of a video."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One trained model of a cascade.

    workdir: the folder of its run.
    generator: how it is sampled; None is the generator of its experiment.
    step: its checkpoint; None is the newest.
    """

    workdir: str
    generator: BaseGenerator | None = None
    step: int | None = None

    @property
    def name(self) -> str:
        """The name of the folder."""
        return Path(self.workdir).name

    def experiment(self) -> Experiment:
        """The experiment of the run.

        Raises:
          CheckpointError: the folder holds no run, or not this checkpoint.
        """
        experiment, steps = read_experiment(self.workdir), list_steps(self.workdir)
        if not steps or self.step not in (None, *steps):
            missing = "" if self.step is None else f" of step {self.step}"
            raise CheckpointError(
                f"{self.workdir} has no checkpoint{missing}; its checkpoints: {steps}"
            )
        return experiment

    def load(self) -> TrainedModel:
        """The model, with its parameters on the devices."""
        _, model = load(self.workdir, self.step)
        if self.generator is None:
            return model
        return self.generator.trained_model(model.experiment, model.params, model.frozen)


LoadStage = Callable[[Stage], TrainedModel]


@dataclasses.dataclass(frozen=True)
class Cascade:
    """Stages in order: the first samples from conditions, each next upsamples the videos before.

    A cascade that starts with a super-resolution stage takes videos as input.

    stages: the trained models.
    data: clips like those of the last stage, perhaps smaller, for prompts and evaluations.
    evaluations: what is measured on the last stage's videos.
    fps: frames per second of the videos.
    """

    stages: tuple[Stage, ...]
    data: Source | None = None
    evaluations: tuple[Evaluation, ...] = ()
    fps: float = 24.0

    def select_stages(self, first: int, last: int) -> "Cascade":
        """The cascade of stages `first` to `last`, counted from 1.

        Raises:
          ConfigError: there are no such stages.
        """
        if not 1 <= first <= last <= len(self.stages):
            raise config.ConfigError(
                f"no stages {first} .. {last}: the cascade has stages 1 .. {len(self.stages)}"
            )
        return dataclasses.replace(self, stages=self.stages[first - 1 : last])

    def experiments(self) -> list[Experiment]:
        """The experiment of each stage.

        Raises:
          CheckpointError: runs or checkpoints are missing; the message lists all of them.
        """
        experiments, missing = [], []
        for number, stage in enumerate(self.stages, start=1):
            try:
                experiments.append(stage.experiment())
            except CheckpointError as error:
                missing.append(f"stage {number} ({stage.name}): {error}")
        if missing:
            raise CheckpointError(
                f"{len(missing)} of {len(self.stages)} stages cannot be used:\n  "
                + "\n  ".join(missing)
            )
        return experiments

    def check(self, low: Shape | None = None) -> list[Shape]:
        """The shape (frames, height, width) of each stage's videos, without loading any model.

        low: the shape of the videos that the first stage upsamples.

        Raises:
          CheckpointError: stages are missing, or one does not fit the stage before.
        """
        shapes, before = [], low
        for number, experiment in enumerate(self.experiments(), start=1):
            try:
                before = output_shape(experiment, before)
            except ValueError as error:
                name = self.stages[number - 1].name
                raise CheckpointError(f"stage {number} ({name}): {error}") from None
            shapes.append(before)
        return shapes

    def load_all(self) -> LoadStage:
        """All models in memory at once, for many calls of `generate`.

        The mesh of each experiment shards its model: with `fsdp` over all devices, every device
        holds a shard of every stage.
        """
        self.experiments()  # reports all missing stages before any is loaded
        return {stage: stage.load() for stage in self.stages}.__getitem__

    def generate(
        self,
        key: Key,
        captions: Sequence[str],
        labels: Sequence[int],
        low: Clips | None = None,
        folder: str | os.PathLike | None = None,
        keep_stages: bool = False,
        load: LoadStage = Stage.load,
    ) -> UInt8[np.ndarray, "b _ _ _ c"]:
        """One video per caption.

        Stage i has the key fold_in(key, i), and sample n of it fold_in of that and n.

        low: the videos that the first stage upsamples; None for a cascade with a base model.
        folder: where each stage's videos are saved when complete, as stage_1.npy, ...; an
          interrupted call resumes after the last of them.
        keep_stages: whether the folder keeps the videos of all stages, not only the newest.
        load: loads a stage's model, one at a time, or all with `load_all()`.
        """
        self.check(None if low is None else low.shape[1:4])
        done, videos = 0, low
        if folder is not None:
            folder = Path(folder)
            done, videos = self._resume(folder, key, captions, labels, low)
        for number, stage in enumerate(self.stages[done:], start=done + 1):
            model, stage_key = load(stage), jax.random.fold_in(key, number - 1)
            cond = model.encode(captions, labels)
            if videos is None:
                videos = model.generate(stage_key, cond, len(captions))
            else:
                videos = model.upsample(stage_key, cond, videos)
            del model, cond  # frees the memory before the next model is loaded
            if folder is not None:
                _save(folder / f"stage_{number}.npy", videos)
                if not keep_stages:
                    (folder / f"stage_{number - 1}.npy").unlink(missing_ok=True)
        assert videos is not None
        return videos

    def _resume(
        self,
        folder: Path,
        key: Key,
        captions: Sequence[str],
        labels: Sequence[int],
        low: Clips | None,
    ) -> tuple[int, Clips | None]:
        """(the number of complete stages, the videos of the last of them)."""
        facts = {
            "stages": config.to_json(self.stages),
            "checkpoints": [max(list_steps(stage.workdir)) for stage in self.stages],
            "key": jax.random.key_data(key).tolist(),
            "captions": list(captions),
            "labels": list(map(int, labels)),
            "given": None if low is None else [list(low.shape), int(low.sum(dtype=np.int64))],
        }
        facts, record = json.loads(json.dumps(facts)), folder / "cascade.json"
        if record.exists() and json.loads(record.read_text()) != facts:
            raise ValueError(
                f"{folder} holds the videos of another cascade, seed or prompt: finish it with the "
                "same command, or remove the folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(facts, indent=1) + "\n")
        for number in range(len(self.stages), 0, -1):
            if (folder / f"stage_{number}.npy").exists():
                return number, np.load(folder / f"stage_{number}.npy")
        return 0, low


@dataclasses.dataclass(frozen=True)
class CascadeModel:
    """A cascade as a model for evaluations; its conditions are captions and labels.

    Videos are averaged down to the size of `data`'s clips if they are a multiple of it.
    """

    cascade: Cascade
    load: LoadStage = Stage.load

    @property
    def data(self) -> Source:
        """Clips like those of the last stage.

        Raises:
          ConfigError: the cascade has none.
        """
        if self.cascade.data is None:
            raise config.ConfigError("the cascade has no `data` to compare its videos with")
        return self.cascade.data

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> tuple:
        return tuple(captions), tuple(labels)

    def generate(self, key: Key, cond: tuple, count: int) -> Clips:
        captions, labels = cond
        videos = self.cascade.generate(key, captions[:count], labels[:count], load=self.load)
        height, width = sides(self.data.size)
        if videos.shape[2] % height or videos.shape[3] % width:
            return videos
        b, f, h, w, c = videos.shape
        squares = videos.reshape(b, f, height, h // height, width, w // width, c)
        return np.rint(squares.mean(axis=(3, 5))).astype(np.uint8)


def output_shape(experiment: Experiment, low: Shape | None) -> Shape:
    """The shape of a model's videos, from low-resolution videos of shape `low` or from none.

    Raises:
      ValueError: the model needs a video, or none, or one of another shape. A model trained on
        crops takes any shape.
    """
    lowres, source = lowres_of(experiment), experiment.data
    shape = (source.frames, *sides(source.size))
    if lowres is None:
        if low is not None:
            raise ValueError(f"it is a base model of videos {shape} and cannot upsample {low}")
        return shape
    if low is None:
        raise ValueError(
            f"it upsamples videos, to {lowres.frames} times the frames and {lowres.size} times the "
            "rows and columns, and has none: start with a base model, or give a video"
        )
    if lowres.crop is None and low != (expected := downsampled_shape(shape, lowres)):
        raise ValueError(f"it upsamples videos {expected} (frames, height, width), not {low}")
    _, frames, height, width, _ = lowres.shape((1, *low, 3))
    return frames, height, width


def lowres_of(experiment: Experiment) -> LowRes | None:
    """How the model's low-resolution input is made; None unless it is for super-resolution."""
    return experiment.task.lowres if isinstance(experiment.task, DiffusionTask) else None


def downsampled_shape(shape: Shape, lowres: LowRes) -> Shape:
    """The shape of the low-resolution videos of videos of this shape."""
    frames, height, width = shape
    return frames // lowres.frames, height // lowres.size, width // lowres.size


def _save(path: Path, videos: Clips) -> None:
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.save(file, videos)
