"""Measures of a protocol: features of each clip, and a number computed from all of them."""

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from vdm_jax.metrics import inception_score
from vdm_jax.metrics.bootstrap import Bootstrap, Interval, frechet_bias
from vdm_jax.metrics.features import Features
from vdm_jax.metrics.frechet import frechet_distance
from vdm_jax.metrics.kernel import CUBIC, PolynomialKernel, unbiased_mmd
from vdm_jax.metrics.motion import MotionHistograms, motion_distance
from vdm_jax.metrics.resizing import HalfPixel
from vdm_jax.protocols.clip_features import ClipFeatures

Against = Literal["real", "pairs"]
MOST = 4096
"""Most clips for which the bootstrap holds a matrix of all pairs."""


@typing.runtime_checkable
class Measure(typing.Protocol):
    """A frozen dataclass that turns the features of samples and of real clips into a number."""

    @property
    def name(self) -> str:
        """The metric's key in results."""
        ...

    @property
    def features(self) -> Features: ...

    @property
    def against(self) -> Against | None:
        """The clips that samples are compared with: all real clips, their own, or none."""
        ...

    needs_captions: ClassVar[bool]
    """Whether the measure needs the captions of samples."""

    def value(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> float: ...

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        """Further fields of the value in results, such as its interval `low`, `high`."""
        ...


class TwoSample:
    """A measure that compares all samples with all real clips."""

    @property
    def against(self) -> Against | None:
        return "real"


class OneSample:
    """A measure of the samples alone."""

    @property
    def against(self) -> Against | None:
        return None


@dataclass(frozen=True)
class Frechet(TwoSample):
    """The Frechet distance between the features of samples and of real clips.

    Results also have `infinite`, the distance extrapolated to infinitely many clips.

    features: the features to compare.
    ddof: of the covariance; 1 is unbiased, StyleGAN-V and cd-fvd use 0.
    name: the metric's key in results.
    bootstrap: of the interval; None computes none, for thousands of features.
    """

    features: Features
    ddof: int = 1
    name: str = "fvd"
    bootstrap: Bootstrap | None = Bootstrap()
    needs_captions: ClassVar[bool] = False

    def value(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> float:
        assert real is not None
        return frechet_distance(generated.moments(), real.moments(), self.ddof)

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        assert real is not None
        if self.bootstrap is None or min(generated.clips, real.clips) < 4:
            return {}
        x, y = generated.features(), real.features()
        each = len(x) // generated.clips
        interval = interval_record(self.bootstrap.frechet(x, y, self.ddof, each))
        return {**interval, "infinite": frechet_bias(x, y, self.ddof, each).infinite}


@dataclass(frozen=True)
class MotionDistance(TwoSample):
    """FVMD's distance between histograms of motion (`metrics.motion`).

    Histograms and distance are FVMD's (Liu et al. 2024), but points follow the optical flow of
    `features` instead of the tracker PIPs++: **not comparable with FVMD**. There is no interval, as
    histograms have about a thousand features, too many for a bootstrap.

    features: the motion histograms.
    epsilon: FVMD's regularization of the covariances.
    name: the metric's key in results.
    """

    features: Features = MotionHistograms(pixels=(HalfPixel(256),))
    epsilon: float = 1e-5
    name: str = "motion_distance"
    needs_captions: ClassVar[bool] = False

    def value(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> float:
        assert real is not None
        return motion_distance(generated.moments(), real.moments(), self.epsilon)

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class KernelDistance(TwoSample):
    """The unbiased MMD^2 between the features of samples and of real clips: KVD, KID.

    features: the features to compare.
    kernel: the kernel.
    name: the metric's key in results.
    bootstrap: of the interval.
    """

    features: Features
    kernel: PolynomialKernel = CUBIC
    name: str = "kvd"
    bootstrap: Bootstrap = Bootstrap()
    needs_captions: ClassVar[bool] = False

    def value(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> float:
        assert real is not None
        return float(unbiased_mmd(generated.features(), real.features(), self.kernel))

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        assert real is not None
        if max(generated.clips, real.clips) > MOST:
            return {}
        return interval_record(
            self.bootstrap.kernel(generated.features(), real.features(), self.kernel)
        )


@dataclass(frozen=True)
class Inception(OneSample):
    """The inception score of the samples by a classifier's logits.

    The result has `std` over splits if there are several, else an interval.

    features: the logits.
    score: the variant of the score.
    name: the metric's key in results.
    bootstrap: of the interval.
    """

    features: Features
    score: inception_score.InceptionScore = inception_score.MAGVIT
    name: str = "is"
    bootstrap: Bootstrap = Bootstrap()
    needs_captions: ClassVar[bool] = False

    def value(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> float:
        return self._scores(generated)[0]

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        if self.score.splits > 1:
            return {"std": self._scores(generated)[1], "splits": self.score.splits}
        p = inception_score.probabilities(generated.features())
        return interval_record(self.bootstrap.inception_score(p)) if len(p) > 1 else {}

    def _scores(self, generated: ClipFeatures) -> tuple[float, float]:
        if generated.clips < self.score.splits:
            raise ValueError(
                f"{self.name} needs {self.score.splits} samples or more, one per split, not "
                f"{generated.clips}: generate more, or --set protocol.measures.N.score.splits=1"
            )
        return self.score(inception_score.probabilities(generated.features()))


@dataclass(frozen=True)
class Mean:
    """The mean of one feature over frames, then over clips.

    features: the features.
    name: the metric's key in results.
    pairs: whether features are of pairs, a sample followed by the real clip it was made from.
    column: index of the feature.
    bootstrap: of the interval.
    """

    features: Features
    name: str
    pairs: bool = False
    column: int = 0
    bootstrap: Bootstrap = Bootstrap()
    needs_captions: ClassVar[bool] = False

    @property
    def against(self) -> Against | None:
        return "pairs" if self.pairs else None

    def value(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> float:
        return float(self._clips(generated).mean())

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        return self._interval(self._clips(generated))

    def _interval(self, clips: np.ndarray) -> dict[str, Any]:
        return interval_record(self.bootstrap.mean(clips)) if len(clips) > 1 else {}

    def _clips(self, generated: ClipFeatures) -> np.ndarray:
        return self._frame_means(generated, self.column)[0]

    def _frame_means(self, generated: ClipFeatures, *columns: int) -> np.ndarray:
        """The means over frames of these columns, [column clip], in one pass over the chunks."""
        chunks = [
            [chunk[:, :, column].mean(axis=1, dtype=np.float64) for column in columns]
            for chunk in generated.by_clip()
        ]
        return np.concatenate(chunks, axis=1)


@dataclass(frozen=True)
class MaskedMean(Mean):
    """The mean over the clips for which another feature is not zero.

    The result has `left_out`, the number of other clips, if there are any.

    where: index of the other feature.
    """

    where: int = 0

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        clips = self._clips(generated)
        left_out = generated.clips - len(clips)
        return self._interval(clips) | ({"left_out": left_out} if left_out else {})

    def _clips(self, generated: ClipFeatures) -> np.ndarray:
        values, counted = self._frame_means(generated, self.column, self.where)
        counted = counted != 0
        if not counted.any():
            raise ValueError(
                f"{self.name} is undefined for all {generated.clips} samples: check them, "
                f"{self.features.name} masks every one"
            )
        return values[counted]


def interval_record(interval: Interval) -> dict[str, Any]:
    """An interval as fields of a result; empty if the error is not finite, as for few clips."""
    record = {"low": interval.low, "high": interval.high, "error": interval.error}
    return {name: float(x) for name, x in record.items()} if np.isfinite(interval.error) else {}
