"""The protocols shared by training, sampling and evaluation.

A class implements a protocol by having its members; nothing is inherited or registered. Pyright
checks implementations where they are passed on, and `isinstance` works on protocols that are
`runtime_checkable`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, UInt8

from vdm_jax import diffusion
from vdm_jax.checkpoints import Checkpoints
from vdm_jax.data import Loader, Source
from vdm_jax.models import Conditioning
from vdm_jax.parallel import Mesh
from vdm_jax.types import Denoiser, Key, Keys, LogSNR, Metrics, Params, Scalar, Video

SelfModel = TypeVar("SelfModel")
Batch = Mapping[str, Any]
"""Arrays by name, from `data.Loader`: `video` [b f h w c] uint8, `label` [b], ..."""

Clips = UInt8[np.ndarray, "b f h w c"]

Results = Mapping[str, Any]
"""Numbers by name, at most one group deep: one evaluation's entry in `evaluations.jsonl`."""


# Training


@runtime_checkable
class Network(Protocol):
    """A linen module called as `(z, logsnr, cond, train=) -> output` [b f h w c]."""

    def init(self, rngs: Any, *args: Any) -> Any: ...
    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any: ...


@runtime_checkable
class Task(Protocol):
    """A loss over batches. Training updates the trained parameters, never the frozen ones."""

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        """(trained, frozen) parameters for batches of this shape."""
        ...

    def loss(
        self, params: Params, frozen: Params, key: Key, batch: Batch
    ) -> tuple[Scalar, Metrics]:
        """(mean loss of the batch, metrics for the log).

        A metric is a pair [sum, count], reported as the mean over the steps between two log lines,
        or a dict of metrics.
        """
        ...


@runtime_checkable
class PhasedTask(Task, Protocol):
    """A task trained in phases, each starting from the parameters of the phase before.

    Every phase has its own optimizer state and its own learning-rate schedule.
    """

    @property
    def phases(self) -> tuple[int, ...]:
        """The length of each phase, in units of the experiment's `steps`."""
        ...

    def load_initial(self, params: Params, folder: str | None = None) -> Params:
        """The initial parameters of the first phase, from a run or an export.

        params: from `init`.
        folder: an export to read instead of the run that the task names.
        """
        ...

    def next_phase(self, params: Params, frozen: Params) -> tuple[Params, Params]:
        """(trained, frozen) parameters at the start of a phase, from those of the phase before.

        A pure function, compiled once: differences between phases are data in `frozen`.
        """
        ...


@runtime_checkable
class LowRes(Protocol):
    """The low-resolution input of a super-resolution model, made from a video.

    frames: the downsampling factor in time.
    size: the downsampling factor of rows and of columns.
    crop: the side of the random training crop in pixels; None without crops.
    """

    @property
    def frames(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def crop(self) -> int | None: ...

    def downsample(self, x: Video) -> Float[Array, "b _ _ _ c"]:
        """The low-resolution video, without noise."""
        ...

    def shape(self, low: tuple[int, ...]) -> tuple[int, ...]:
        """The shape [b f h w c] of the output for a low-resolution video of shape `low`."""
        ...

    def logsnr(self, snr: float | None) -> LogSNR:
        """The log-SNR of noise augmentation; None is the least noise of the schedule."""
        ...

    def draw(
        self, key: Key, x: Video, cond: Conditioning
    ) -> tuple[Float[Array, "b f _ _ c"], Conditioning]:
        """A training clip, and its conditions with the noisy low-resolution video."""
        ...

    def condition(self, key: Keys, cond: Conditioning, low: Video, logsnr: LogSNR) -> Conditioning:
        """The conditions with a low-resolution video, noised to `logsnr`."""
        ...


@runtime_checkable
class DiffusionTask(Task, Protocol):
    """A task with a denoiser, whose trained model can be sampled.

    process: the diffusion process.
    lowres: the low-resolution input of a super-resolution model, else None.
    """

    @property
    def process(self) -> diffusion.Process: ...
    @property
    def lowres(self) -> LowRes | None: ...

    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        """The network as `(z, logsnr) -> x_hat` under these conditions."""
        ...


@runtime_checkable
class StudentTask(DiffusionTask, Protocol):
    """A task that distils another run.

    teacher: the folder of that run.
    step: its checkpoint; None is the newest.
    weights: the range of guidance weights that the network takes as an input, or None.
    """

    @property
    def teacher(self) -> str: ...
    @property
    def step(self) -> int | None: ...
    @property
    def weights(self) -> tuple[float, float] | None: ...


# Runs


@runtime_checkable
class Sampling(Protocol):
    """How samples are drawn, such as `sampling.Generator`."""

    def trained_model(self, experiment: "Experiment", params: Params, frozen: Params) -> "Model":
        """The trained model that evaluations and commands use."""
        ...


@runtime_checkable
class Experiment(Protocol):
    """The fields of `training.Experiment` that sampling and evaluation read."""

    @property
    def task(self) -> Task: ...
    @property
    def data(self) -> Source: ...
    @property
    def loader(self) -> Loader: ...
    @property
    def sampling(self) -> Sampling | None: ...
    @property
    def evaluations(self) -> tuple["Evaluation", ...]: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def mesh(self) -> Mesh: ...
    @property
    def steps(self) -> int: ...
    @property
    def seed(self) -> int: ...


# Evaluations, and the models that they measure


@runtime_checkable
class Evaluation(Protocol):
    """A frozen dataclass that measures a trained model."""

    @property
    def name(self) -> str:
        """The group of its results in `evaluations.jsonl`."""
        ...

    @property
    def every(self) -> int | None:
        """Training steps between two measurements; None is only at the end of a phase."""
        ...

    def __call__(self, key: Key, model: Any, /) -> Results:
        """The results for a model, of one of the protocols below."""
        ...


@runtime_checkable
class Model(Protocol):
    """A trained model with its parameters closed over, such as `sampling.TrainedModel`."""

    @property
    def data(self) -> Source:
        """The source that the model was trained on."""
        ...

    def encode(self, captions: Sequence[str], labels: Sequence[int]) -> Any:
        """The model's conditions for captions and labels (-1 is none), opaque to evaluations."""
        ...

    def generate(self, key: Key, cond: Any, count: int) -> Clips:
        """`count` clips for `count` conditions, sampled with guidance, in the model's batches."""
        ...


@runtime_checkable
class DenoisingModel(Model, Protocol):
    """A model with a denoiser."""

    @property
    def process(self) -> diffusion.Process: ...

    def denoiser(self, cond: Any) -> Denoiser:
        """E[x | z_t] by the averaged parameters, without guidance.

        A `jax.tree_util.Partial` keeps parameters as arguments of the programs that evaluations
        compile; with any other callable they become constants.
        """
        ...


@runtime_checkable
class AdjustableModel(Model, Protocol):
    """A model whose sampling can be changed."""

    def with_sampling(self: SelfModel, **changes: Any) -> SelfModel:
        """The same model with fields of its generator changed: `sampler`, `guidance`, ..."""
        ...


@runtime_checkable
class CompletionModel(Model, Protocol):
    """A model that completes partly known clips."""

    def complete(
        self,
        key: Key,
        cond: Any,
        known: diffusion.KnownPixels,
        /,
        *,
        correction: diffusion.Correction | None,
        known_noise: diffusion.KnownNoise,
    ) -> Clips:
        """Clips with the known frames of `known`. correction: None is replacement alone."""
        ...

    def extend(
        self,
        key: Key,
        cond: Any,
        video: Clips,
        frames: int,
        overlap: int,
        /,
        *,
        correction: diffusion.Correction | None,
        known_noise: diffusion.KnownNoise,
    ) -> Clips:
        """Clips continued to `frames` frames, in blocks conditioned on `overlap` frames."""
        ...


@runtime_checkable
class SuperResolutionModel(AdjustableModel, Protocol):
    """A model that upsamples low-resolution videos."""

    def downsample(self, videos: Clips, /) -> UInt8[np.ndarray, "b _ _ _ c"]:
        """The low-resolution videos of these."""
        ...

    def upsample(self, key: Key, cond: Any, low: Clips, /) -> UInt8[np.ndarray, "b _ _ _ c"]:
        """High-resolution videos of low-resolution ones."""
        ...


@runtime_checkable
class StudentModel(AdjustableModel, Protocol):
    """A distilled model."""

    @property
    def steps(self) -> int:
        """The network calls per sample."""
        ...

    def teacher(self) -> AdjustableModel:
        """The first teacher."""
        ...
