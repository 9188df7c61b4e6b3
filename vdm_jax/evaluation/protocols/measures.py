"""What a protocol measures: features of each clip, and a number made of all of them."""

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from vdm_jax.evaluation import inception_score
from vdm_jax.evaluation.bootstrap import Bootstrap, Interval, frechet_bias
from vdm_jax.evaluation.features import Features
from vdm_jax.evaluation.frechet import frechet_distance
from vdm_jax.evaluation.kernel import CUBIC, Polynomial, unbiased
from vdm_jax.evaluation.motion import MotionHistograms, motion_distance
from vdm_jax.evaluation.protocols.rows import Rows
from vdm_jax.evaluation.resizing import HalfPixel

Against = Literal["real", "pairs"]
MOST = 4096
"""Clips of which the matrix of all pairs is held for the bootstrap."""


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

    captioned: ClassVar[bool]
    """Whether the captions of samples matter."""

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> float: ...

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        """What is known of how far the value would move with other samples: `low`, `high`, ..."""
        ...


class TwoSample:
    """What holds all samples against all real clips."""

    @property
    def against(self) -> Against | None:
        return "real"


class OneSample:
    """What looks at the samples alone."""

    @property
    def against(self) -> Against | None:
        return None


@dataclass(frozen=True)
class Frechet(TwoSample):
    """The Frechet distance between the features of samples and of real clips.

    ddof: 1 is the unbiased covariance, 0 that of StyleGAN-V and cd-fvd. bootstrap: None where it
    would take too long, as for thousands of features. Results also have `infinite`, what halves of
    the clips say of infinitely many.
    """

    features: Features
    ddof: int = 1
    name: str = "fvd"
    bootstrap: Bootstrap | None = Bootstrap()
    captioned: ClassVar[bool] = False

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> float:
        assert real is not None
        return frechet_distance(made.moments(), real.moments(), self.ddof)

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        assert real is not None
        if self.bootstrap is None or min(made.clips, real.clips) < 4:
            return {}
        x, y = made.features(), real.features()
        each = len(x) // made.clips
        found = interval_record(self.bootstrap.frechet(x, y, self.ddof, each))
        return {**found, "infinite": frechet_bias(x, y, self.ddof, each).infinite}


@dataclass(frozen=True)
class MotionDistance(TwoSample):
    """FVMD's distance between histograms of motion (`evaluation.motion`), with its epsilon.

    It is FVMD's (Liu et al. 2024) by its histograms and its distance alone: points follow the flow
    of `features`, where FVMD has the tracker PIPs++. The two are not to be compared. No interval is
    told: a histogram has a thousand numbers, too many for a bootstrap.
    """

    features: Features = MotionHistograms(pixels=(HalfPixel(256),))
    epsilon: float = 1e-5
    name: str = "motion_distance"
    captioned: ClassVar[bool] = False

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> float:
        assert real is not None
        return motion_distance(made.moments(), real.moments(), self.epsilon)

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class KernelDistance(TwoSample):
    """The unbiased MMD^2 between the features of samples and of real clips: KVD, KID."""

    features: Features
    kernel: Polynomial = CUBIC
    name: str = "kvd"
    bootstrap: Bootstrap = Bootstrap()
    captioned: ClassVar[bool] = False

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> float:
        assert real is not None
        return float(unbiased(made.features(), real.features(), self.kernel))

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        assert real is not None
        if max(made.clips, real.clips) > MOST:
            return {}
        return interval_record(self.bootstrap.kernel(made.features(), real.features(), self.kernel))


@dataclass(frozen=True)
class Inception(OneSample):
    """The inception score of the samples by a classifier's logits.

    `std` is the deviation over splits where there are several; the interval is of one split.
    """

    features: Features
    score: inception_score.InceptionScore = inception_score.MAGVIT
    name: str = "is"
    bootstrap: Bootstrap = Bootstrap()
    captioned: ClassVar[bool] = False

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> float:
        return self._scores(made)[0]

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        if self.score.splits > 1:
            return {"std": self._scores(made)[1], "splits": self.score.splits}
        p = inception_score.probabilities(made.features())
        return interval_record(self.bootstrap.inception_score(p)) if len(p) > 1 else {}

    def _scores(self, made: Rows) -> tuple[float, float]:
        if made.clips < self.score.splits:
            raise ValueError(
                f"{self.name} is of {self.score.splits} parts, and of {made.clips} samples: "
                "give more, or --set protocol.measures.N.score.splits=1"
            )
        return self.score(inception_score.probabilities(made.features()))


@dataclass(frozen=True)
class Mean:
    """The mean over clips of the first of their features, itself the mean over their frames.

    pairs: features are of a sample and the real clip that it was made of, one after the other.
    column: which feature it is.
    """

    features: Features
    name: str
    pairs: bool = False
    column: int = 0
    bootstrap: Bootstrap = Bootstrap()
    captioned: ClassVar[bool] = False

    @property
    def against(self) -> Against | None:
        return "pairs" if self.pairs else None

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> float:
        return float(self._clips(made).mean())

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        return self._interval(self._clips(made))

    def _interval(self, clips: np.ndarray) -> dict[str, Any]:
        return interval_record(self.bootstrap.mean(clips)) if len(clips) > 1 else {}

    def _clips(self, made: Rows) -> np.ndarray:
        return self._of_frames(made, self.column)[0]

    def _of_frames(self, made: Rows, *columns: int) -> np.ndarray:
        """[column clip], in one pass over the rows."""
        parts = [
            [part[:, :, column].mean(axis=1, dtype=np.float64) for column in columns]
            for part in made.by_clip()
        ]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class MaskedMean(Mean):
    """The same of the clips of which another feature, `where`, is not zero.

    `left_out` is how many are not, where there are such ones.
    """

    where: int = 0

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        clips = self._clips(made)
        left_out = made.clips - len(clips)
        return self._interval(clips) | ({"left_out": left_out} if left_out else {})

    def _clips(self, made: Rows) -> np.ndarray:
        values, counted = self._of_frames(made, self.column, self.where)
        counted = counted != 0
        if not counted.any():
            raise ValueError(
                f"{self.name} is a number of none of the {made.clips} samples: "
                f"{self.features.name} finds nothing to measure in them"
            )
        return values[counted]


def interval_record(interval: Interval) -> dict[str, Any]:
    """An interval, as it stands in a result; none where a handful of clips gave none."""
    found = {"low": interval.low, "high": interval.high, "error": interval.error}
    return {name: float(x) for name, x in found.items()} if np.isfinite(interval.error) else {}
