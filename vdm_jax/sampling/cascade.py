"""Several trained models, one after another: a small short video becomes a large long one.

Each stage is a run of its own; a cascade is a list of their folders and of how each is sampled.
(Ho et al. 2022, Imagen Video, section 2.3)
"""

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8

from vdm_jax import config
from vdm_jax.checkpoints import CheckpointError, atomic_file, read_experiment
from vdm_jax.checkpoints.store import steps_in
from vdm_jax.data import sides
from vdm_jax.sampling.generate import Generator, TrainedModel, load
from vdm_jax.types import Key

Videos = UInt8[np.ndarray, "b f h w c"]
Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One trained model of a cascade.

    workdir: the folder of its run. generator: how it is sampled; None is as its experiment says.
    step: which checkpoint; None is the newest.
    """

    workdir: str
    generator: Generator | None = None
    step: int | None = None

    @property
    def name(self) -> str:
        """The last part of the folder's name."""
        return Path(self.workdir).name

    def experiment(self) -> Any:
        """What the run is; CheckpointError where there is none, or not this checkpoint of it."""
        experiment, steps = read_experiment(self.workdir), steps_in(self.workdir)
        if not steps or self.step not in (None, *steps):
            asked = "" if self.step is None else f" of step {self.step}"
            raise CheckpointError(f"{self.workdir} has no checkpoint{asked}; there are {steps}")
        return experiment

    def load(self) -> TrainedModel:
        """The model, with its parameters on the devices."""
        _, trained = load(self.workdir, self.step)
        if self.generator is None:
            return trained
        return self.generator.trained(trained.experiment, trained.params, trained.frozen)


Models = Callable[[Stage], TrainedModel]
"""Where `Cascade.make` has its models from."""


@dataclasses.dataclass(frozen=True)
class Cascade:
    """Stages in order: each makes its video of the one before, the first of conditions alone.

    A cascade may begin with a stage of super-resolution; then it has to be given videos.

    data: clips such as the last stage makes, for prompts and evaluations; they may be smaller.
    fps: of its videos.
    """

    stages: tuple[Stage, ...]
    data: Any = None
    evaluations: tuple[Any, ...] = ()
    fps: float = 24.0

    def part(self, first: int, last: int) -> "Cascade":
        """The stages `first` .. `last`, counted from 1."""
        if not 1 <= first <= last <= len(self.stages):
            raise config.ConfigError(
                f"stages {first} .. {last} are asked for, and the cascade has 1 .. "
                f"{len(self.stages)}"
            )
        return dataclasses.replace(self, stages=self.stages[first - 1 : last])

    def experiments(self) -> list[Any]:
        """What each stage is.

        Raises:
          CheckpointError: runs or checkpoints that are not there; all of them.
        """
        found, missing = [], []
        for number, stage in enumerate(self.stages, start=1):
            try:
                found.append(stage.experiment())
            except CheckpointError as error:
                missing.append(f"stage {number} ({stage.name}): {error}")
        if missing:
            told = "\n  ".join(missing)
            raise CheckpointError(
                f"{len(missing)} of {len(self.stages)} stages cannot be used:\n  {told}"
            )
        return found

    def check(self, given: Shape | None = None) -> list[Shape]:
        """The shape (frames, height, width) of what each stage makes, without loading any.

        given: that of the videos that the first stage has to enlarge.

        Raises:
          CheckpointError: stages that are not there, or the first that does not fit the one before.
        """
        shapes, before = [], given
        for number, experiment in enumerate(self.experiments(), start=1):
            try:
                before = made(experiment, before)
            except ValueError as error:
                name = self.stages[number - 1].name
                raise CheckpointError(f"stage {number} ({name}): {error}") from None
            shapes.append(before)
        return shapes

    def together(self) -> Models:
        """All models in memory at once, for many calls of `make`.

        Each is spread over the devices by the mesh of its experiment: with `fsdp` over all of them,
        every device holds its share of every stage.
        """
        self.experiments()  # all that is missing is told before anything is loaded
        return {stage: stage.load() for stage in self.stages}.__getitem__

    def make(
        self,
        key: Key,
        captions: Sequence[str],
        labels: Sequence[int],
        given: Videos | None = None,
        folder: str | os.PathLike | None = None,
        keep: bool = False,
        models: Models = Stage.load,
    ) -> Videos:
        """One video for each caption; `given` ones are enlarged, where there are.

        Stage i draws with fold_in(key, i), sample n of it with fold_in of that and n. One model is
        in memory at a time, unless `models` is `together()`. In a `folder` every stage's videos
        are stored once they are made, as stage_1.npy, ..., so that what was stopped goes on after
        the last of them; only the newest stays, or all with `keep`.
        """
        self.check(None if given is None else given.shape[1:4])
        done, videos = 0, given
        if folder is not None:
            folder = Path(folder)
            done, videos = self._found(folder, key, captions, labels, given)
        for number, stage in enumerate(self.stages[done:], start=done + 1):
            trained = models(stage)
            cond, own = trained.encode(captions, labels), jax.random.fold_in(key, number - 1)
            if videos is None:
                videos = trained.generate(own, cond, len(captions))
            else:
                videos = trained.enlarge(own, cond, videos)
            del trained, cond  # before the next one comes
            if folder is not None:
                _store(folder / f"stage_{number}.npy", videos)
                if not keep:
                    (folder / f"stage_{number - 1}.npy").unlink(missing_ok=True)
        assert videos is not None
        return videos

    def _found(self, folder: Path, key: Key, captions, labels, given) -> tuple[int, Videos | None]:
        """How many stages are made already, and the videos of the last of them."""
        facts = {
            "stages": config.to_json(self.stages),
            "checkpoints": [max(steps_in(stage.workdir)) for stage in self.stages],
            "key": jax.random.key_data(key).tolist(),
            "captions": list(captions),
            "labels": list(map(int, labels)),
            "given": None if given is None else [list(given.shape), int(given.sum(dtype=np.int64))],
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
        return 0, given


@dataclasses.dataclass(frozen=True)
class CascadeModel:
    """A cascade as evaluations see a model: its conditions are captions and labels.

    Videos are brought to the size of `data`'s clips, where they are a multiple of it.
    """

    cascade: Cascade
    models: Models = Stage.load

    @property
    def data(self) -> Any:
        """Clips such as the last stage makes."""
        if self.cascade.data is None:
            raise config.ConfigError("the cascade has no `data` to be compared with")
        return self.cascade.data

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> tuple:
        return tuple(captions), tuple(labels)

    def generate(self, key: Key, cond: tuple, count: int) -> Videos:
        captions, labels = cond
        videos = self.cascade.make(key, captions[:count], labels[:count], models=self.models)
        height, width = sides(self.data.size)
        if videos.shape[2] % height or videos.shape[3] % width:
            return videos
        b, f, h, w, c = videos.shape
        squares = videos.reshape(b, f, height, h // height, width, w // width, c)
        return np.rint(squares.mean(axis=(3, 5))).astype(np.uint8)


def made(experiment: Any, given: Shape | None) -> Shape:
    """The shape of what a model makes of videos of the shape `given`, or of nothing.

    Raises ValueError where it needs a video, or one of another shape. Any will do for a model that
    was trained on crops.
    """
    lowres, source = experiment.task.lowres, experiment.data
    own = (source.frames, *sides(source.size))
    if lowres is None:
        if given is not None:
            raise ValueError(f"it makes videos {own} of nothing, and is given {given}")
        return own
    if given is None:
        raise ValueError(
            f"it enlarges videos, to {lowres.frames} times the frames and {lowres.size} times the "
            "rows and columns, and is given none: begin with a base model, or give a video"
        )
    if lowres.crop is None and given != (wanted := downsampled_shape(own, lowres)):
        raise ValueError(f"it enlarges videos {wanted} (frames, height, width), not {given}")
    return lowres.shape((1, *given, 3))[1:4]


def downsampled_shape(shape: Shape, lowres: Any) -> Shape:
    """What a model of `lowres` makes videos of this shape of."""
    frames, height, width = shape
    return frames // lowres.frames, height // lowres.size, width // lowres.size


def _store(path: Path, videos: Videos) -> None:
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.save(file, videos)
