"""What a protocol measures: a feature of each clip, and a number made of all of them."""

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vdm_jax.evaluation.features import Features
from vdm_jax.evaluation.frechet import frechet_distance
from vdm_jax.evaluation.protocols.rows import Rows
from vdm_jax.evaluation.result import Value

Against = Literal["real", "pairs"]


class Measure(typing.Protocol):
    """A frozen dataclass: features, and what their rows for samples and real clips amount to."""

    @property
    def name(self) -> str:
        """The metric's key in results."""
        ...

    @property
    def features(self) -> Features: ...

    @property
    def against(self) -> Against | None:
        """What samples are held against: the reference, the real clip of each, or nothing."""
        ...

    @property
    def captioned(self) -> bool:
        """Whether the captions of samples matter."""
        ...

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> Value: ...


@dataclass(frozen=True)
class Frechet:
    """The Frechet distance between the features of samples and of real clips.

    ddof: 1 is the unbiased covariance, 0 that of StyleGAN-V and cd-fvd.
    """

    features: Features
    ddof: int = 1
    name: str = "fvd"

    against: typing.ClassVar = "real"
    captioned: typing.ClassVar = False

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> Value:
        assert real is not None
        return {"value": frechet_distance(made.moments(), real.moments(), self.ddof)}


@dataclass(frozen=True)
class Mean:
    """The mean of one number of each clip, or of each frame; `low` and `high` are two errors off.

    pairs: the number is of a sample and the real clip that it was made of.
    """

    features: Features
    name: str
    pairs: bool = False

    captioned: typing.ClassVar = False

    @property
    def against(self) -> Against | None:
        return "pairs" if self.pairs else None

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> Value:
        rows = made.features()[:, 0].astype(np.float64)
        each = rows.reshape(made.clips, -1).mean(axis=1)
        error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else None
        value = float(each.mean())
        if error is None:
            return {"value": value}
        return {"value": value, "low": value - 2 * error, "high": value + 2 * error}
