"""Sensitivity of a protocol's Frechet distance to its choices, changed one at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vdm_jax import data
from vdm_jax.checkpoints import CheckpointError
from vdm_jax.data.windows import Windows
from vdm_jax.metrics.networks import NetworkFeatures
from vdm_jax.metrics.resizing import (
    AlignCorners,
    Antialiased,
    HalfPixel,
    HalfPixelCubic,
    Legacy,
    Pillow,
    PixelStep,
    ShorterSide,
)
from vdm_jax.protocols.compression import H264, Gif, Jpeg
from vdm_jax.protocols.measurement import measure
from vdm_jax.protocols.measures import Frechet
from vdm_jax.protocols.protocol import Protocol
from vdm_jax.protocols.reference_sampling import (
    All,
    ReferenceSampling,
    SortedFirst,
    WithoutReplacement,
)
from vdm_jax.protocols.video_files import Collection

RESIZES: dict[str, Callable[[Any], PixelStep]] = {
    "TensorFlow 1": Legacy,
    "half-pixel": HalfPixel,
    "half-pixel cubic": HalfPixelCubic,
    "aligned corners": AlignCorners,
    "antialiased": Antialiased,
    "antialiased cubic": lambda to: Antialiased(to, "cubic"),
    "antialiased Lanczos": lambda to: Antialiased(to, "lanczos"),
}
COMPRESSIONS: dict[str, PixelStep] = {
    "JPEG 75": Jpeg(75),
    "JPEG 95": Jpeg(95),
    "H.264, crf 18": H264(18),
    "H.264, crf 28": H264(28),
    "GIF": Gif(),
}
RESIZING = (Legacy, HalfPixel, HalfPixelCubic, AlignCorners, Antialiased, Pillow)


@dataclass(frozen=True)
class Setting:
    """A protocol with one choice changed."""

    choice: str
    setting: str
    protocol: Protocol


@dataclass(frozen=True)
class SettingResult:
    """The distance with a setting, or the reason why there is none."""

    choice: str
    setting: str
    value: float | None
    reason: str = ""


def only_distance(protocol: Protocol) -> Protocol:
    """The protocol with only its first Frechet distance, and without repeats.

    Raises:
      ValueError: it has no Frechet distance.
    """
    for metric in protocol.measures:
        if isinstance(metric, Frechet):
            return replace(protocol, measures=(metric,), repeats=1)
    raise ValueError(
        f"sensitivity needs a protocol with a Frechet distance, and {protocol.name} measures "
        f"{', '.join(metric.name for metric in protocol.measures)}"
    )


def settings(protocol: Protocol, samples: int) -> Iterator[Setting]:
    """All changed choices of a protocol of one Frechet distance and of this many samples."""
    real, rules = protocol.real, protocol.generated
    distance = protocol.measures[0]
    assert isinstance(distance, Frechet)
    features: Any = distance.features

    def changed(choice: str, setting: str, **changes: Any) -> Setting:
        return Setting(choice, setting, replace(protocol, **changes))

    def changed_features(choice: str, setting: str, **changes: Any) -> Setting:
        metric = replace(distance, features=replace(features, **changes))
        return changed(choice, setting, measures=(metric,))

    if isinstance(features, NetworkFeatures):
        for title, pixels in _other_resizes(features.pixels):
            yield changed_features("resize to the network", title, pixels=pixels)
        norm: Any = getattr(features.network, "norm", None)
        if hasattr(norm, "epsilon"):
            for epsilon in (1e-3, 1e-5):
                if epsilon != norm.epsilon:
                    network = features.network.clone(norm=norm.clone(epsilon=epsilon))
                    yield changed_features("batch norm's epsilon", f"{epsilon:g}", network=network)
    for title, pixels in _other_resizes(real.pixels):
        yield changed("resize of real frames", title, real=replace(real, pixels=pixels))
    stretched = _without_crop(real.pixels)
    if stretched is not None:
        yield changed("crop of real frames", "stretched", real=replace(real, pixels=stretched))
    for title, step in COMPRESSIONS.items():
        compressed = replace(real, pixels=(*real.pixels, step))
        yield changed("storage", f"real clips as {title}", real=compressed)
        compressed = replace(rules, pixels=(*rules.pixels, step))
        yield changed("storage", f"samples as {title}", generated=compressed)
    least = getattr(features, "min_frames", 1)
    for frames in sorted({rules.frames * 3 // 4, rules.frames * 5 // 8}, reverse=True):
        if least <= frames < rules.frames:
            yield changed("frames", str(frames), real=replace(real, frames=frames),
                     generated=replace(rules, frames=frames))  # fmt: skip
    for stride in (1, 2, 3, 4):
        if stride != real.stride:
            yield changed("stride of real clips", str(stride), real=replace(real, stride=stride))
    for divisor in (2, 4):
        count = samples // divisor
        if count > 1:
            yield changed("samples", str(count), generated=replace(rules, count=count))
    yield changed("covariance", f"ddof {1 - distance.ddof}",
             measures=(replace(distance, ddof=1 - distance.ddof),))  # fmt: skip
    for title, windows, take in _references(samples):
        if (windows, take) != (real.windows, real.take):
            yield changed("reference", title, real=replace(real, windows=windows, take=take))
    for seed in (1, 2):
        yield changed("seed of the reference", str(seed), real=replace(real, seed=real.seed + seed))


def measure_settings(
    protocol: Protocol,
    generated: Collection,
    real: Collection,
    report: Callable[[SettingResult], None] = lambda result: None,
) -> tuple[dict[str, Any], list[SettingResult]]:
    """The protocol's own value with its interval, and the results of all settings.

    report: called with each result.
    """
    base = only_distance(protocol)
    clips = base.generated.clips(generated, base.samples)
    own = dict(measure(base, "samples", clips, real).values[base.measures[0].name])
    results = []
    for setting in settings(base, len(clips)):
        (distance,) = setting.protocol.measures
        assert isinstance(distance, Frechet)
        quick = replace(setting.protocol, measures=(replace(distance, bootstrap=None),))
        try:
            rules = quick.generated
            same = (rules.pixels, rules.frames) == (base.generated.pixels, base.generated.frames)
            changed = clips if same else rules.clips(generated, base.samples)
            value = measure(quick, "samples", changed, real).values[distance.name]["value"]
            results.append(SettingResult(setting.choice, setting.setting, float(value)))
        except CheckpointError:
            raise
        except ValueError as error:
            results.append(SettingResult(setting.choice, setting.setting, None, str(error)))
        report(results[-1])
    return own, results


def _other_resizes(pixels: Sequence[PixelStep]) -> Iterator[tuple[str, tuple[PixelStep, ...]]]:
    """The steps with their first resize replaced by every other kind."""
    for i, step in enumerate(pixels):
        if isinstance(step, RESIZING):
            for title, kind in RESIZES.items():
                if kind(step.to) != step:
                    yield title, (*pixels[:i], kind(step.to), *pixels[i + 1 :])
            return


def _without_crop(pixels: Sequence[PixelStep]) -> tuple[PixelStep, ...] | None:
    """The steps with the first resize and crop replaced by a resize to the size of the crop."""
    for i, step in enumerate(pixels[:-1]):
        size = getattr(pixels[i + 1], "size", None)
        if isinstance(step, RESIZING) and isinstance(step.to, ShorterSide) and size is not None:
            return (*pixels[:i], replace(step, to=size), *pixels[i + 2 :])
    return None


def _references(samples: int) -> Iterator[tuple[str, Windows, ReferenceSampling]]:
    anywhere = data.RandomWindow()
    yield "a clip of every video", anywhere, All()
    yield "the middle of every video", data.Center(), All()
    yield "the start of every video", data.First(), All()
    yield f"the first {samples} videos by name", anywhere, SortedFirst(samples)
    yield f"{samples} of all clips", data.EveryWindow(step=1), WithoutReplacement(samples)
