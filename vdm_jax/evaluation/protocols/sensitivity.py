"""How much every choice of a protocol moves its number: one changed at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vdm_jax import data
from vdm_jax.checkpoints import CheckpointError
from vdm_jax.data.windows import Windows
from vdm_jax.evaluation.networks import NetworkFeatures
from vdm_jax.evaluation.protocols.measures import Frechet
from vdm_jax.evaluation.protocols.measuring import measure
from vdm_jax.evaluation.protocols.protocol import Protocol
from vdm_jax.evaluation.protocols.reference_sampling import (
    All,
    ReferenceSampling,
    SortedFirst,
    WithoutReplacement,
)
from vdm_jax.evaluation.protocols.storage import H264, Gif, Jpeg
from vdm_jax.evaluation.protocols.video_files import Collection
from vdm_jax.evaluation.resizing import (
    AlignCorners,
    Antialiased,
    HalfPixel,
    HalfPixelCubic,
    Legacy,
    Pillow,
    ShorterSide,
    Step,
)

RESIZES: dict[str, Callable[[Any], Step]] = {
    "TensorFlow 1": Legacy,
    "half-pixel": HalfPixel,
    "half-pixel cubic": HalfPixelCubic,
    "aligned corners": AlignCorners,
    "antialiased": Antialiased,
    "antialiased cubic": lambda to: Antialiased(to, "cubic"),
    "antialiased Lanczos": lambda to: Antialiased(to, "lanczos"),
}
STORED: dict[str, Step] = {
    "JPEG 75": Jpeg(75),
    "JPEG 95": Jpeg(95),
    "H.264, crf 18": H264(18),
    "H.264, crf 28": H264(28),
    "GIF": Gif(),
}
RESIZING = (Legacy, HalfPixel, HalfPixelCubic, AlignCorners, Antialiased, Pillow)


@dataclass(frozen=True)
class Setting:
    """A protocol of which one choice is another."""

    knob: str
    setting: str
    protocol: Protocol


@dataclass(frozen=True)
class Found:
    """The number of a setting, or why there is none."""

    knob: str
    setting: str
    value: float | None
    why: str = ""


def only_distance(protocol: Protocol) -> Protocol:
    """The protocol with its first Frechet distance alone, of one set of samples.

    Raises:
      ValueError: it has none.
    """
    for one in protocol.measures:
        if isinstance(one, Frechet):
            return replace(protocol, measures=(one,), repeats=1)
    raise ValueError(
        f"{protocol.name} measures no Frechet distance, whose choices could be changed: "
        f"{', '.join(one.name for one in protocol.measures)}"
    )


def settings(protocol: Protocol, samples: int) -> Iterator[Setting]:
    """Every choice that can be made otherwise, for a protocol of one Frechet distance.

    samples: how many there are.
    """
    real, rules = protocol.real, protocol.generated
    distance = protocol.measures[0]
    assert isinstance(distance, Frechet)
    features: Any = distance.features

    def of(knob: str, setting: str, **changes: Any) -> Setting:
        return Setting(knob, setting, replace(protocol, **changes))

    def of_features(knob: str, setting: str, **changes: Any) -> Setting:
        changed = replace(distance, features=replace(features, **changes))
        return of(knob, setting, measures=(changed,))

    if isinstance(features, NetworkFeatures):
        for title, pixels in _resized(features.pixels):
            yield of_features("resize to the network", title, pixels=pixels)
        norm: Any = getattr(features.network, "norm", None)
        if hasattr(norm, "epsilon"):
            for epsilon in (1e-3, 1e-5):
                if epsilon != norm.epsilon:
                    network = features.network.clone(norm=norm.clone(epsilon=epsilon))
                    yield of_features("batch norm's epsilon", f"{epsilon:g}", network=network)
    for title, pixels in _resized(real.pixels):
        yield of("resize of real frames", title, real=replace(real, pixels=pixels))
    stretched = _stretched(real.pixels)
    if stretched is not None:
        yield of("crop of real frames", "stretched", real=replace(real, pixels=stretched))
    for title, stored in STORED.items():
        kept = replace(real, pixels=(*real.pixels, stored))
        yield of("storage", f"real clips as {title}", real=kept)
        kept = replace(rules, pixels=(*rules.pixels, stored))
        yield of("storage", f"samples as {title}", generated=kept)
    least = getattr(features, "least", 1)
    for frames in sorted({rules.frames * 3 // 4, rules.frames * 5 // 8}, reverse=True):
        if least <= frames < rules.frames:
            yield of("frames", str(frames), real=replace(real, frames=frames),
                     generated=replace(rules, frames=frames))  # fmt: skip
    for stride in (1, 2, 3, 4):
        if stride != real.stride:
            yield of("stride of real clips", str(stride), real=replace(real, stride=stride))
    for share in (2, 4):
        count = samples // share
        if count > 1:
            yield of("samples", str(count), generated=replace(rules, count=count))
    yield of("covariance", f"ddof {1 - distance.ddof}",
             measures=(replace(distance, ddof=1 - distance.ddof),))  # fmt: skip
    for title, windows, take in _references(samples):
        if (windows, take) != (real.windows, real.take):
            yield of("reference", title, real=replace(real, windows=windows, take=take))
    for seed in (1, 2):
        yield of("seed of the reference", str(seed), real=replace(real, seed=real.seed + seed))


def study(
    protocol: Protocol,
    made: Collection,
    real: Collection,
    say: Callable[[Found], None] = lambda found: None,
) -> tuple[dict[str, Any], list[Found]]:
    """The protocol's own number with its interval, and that of every setting.

    say: told each as it is found.
    """
    base = only_distance(protocol)
    clips = base.generated.clips(made, base.samples)
    own = dict(measure(base, "samples", clips, real).values[base.measures[0].name])
    found = []
    for one in settings(base, len(clips)):
        (distance,) = one.protocol.measures
        assert isinstance(distance, Frechet)
        quick = replace(one.protocol, measures=(replace(distance, bootstrap=None),))
        try:
            rules = quick.generated
            same = (rules.pixels, rules.frames) == (base.generated.pixels, base.generated.frames)
            changed = clips if same else rules.clips(made, base.samples)
            value = measure(quick, "samples", changed, real).values[distance.name]["value"]
            found.append(Found(one.knob, one.setting, float(value)))
        except CheckpointError:
            raise
        except ValueError as error:
            found.append(Found(one.knob, one.setting, None, str(error)))
        say(found[-1])
    return own, found


def _resized(pixels: Sequence[Step]) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The steps with their first resize of every other kind."""
    for place, step in enumerate(pixels):
        if isinstance(step, RESIZING):
            for title, kind in RESIZES.items():
                if kind(step.to) != step:
                    yield title, (*pixels[:place], kind(step.to), *pixels[place + 1 :])
            return


def _stretched(pixels: Sequence[Step]) -> tuple[Step, ...] | None:
    """The steps without a crop, the first resize straight to the size of what was cropped."""
    for place, step in enumerate(pixels[:-1]):
        size = getattr(pixels[place + 1], "size", None)
        if isinstance(step, RESIZING) and isinstance(step.to, ShorterSide) and size is not None:
            return (*pixels[:place], replace(step, to=size), *pixels[place + 2 :])
    return None


def _references(samples: int) -> Iterator[tuple[str, Windows, ReferenceSampling]]:
    anywhere = data.RandomWindow()
    yield "a clip of every video", anywhere, All()
    yield "the middle of every video", data.Center(), All()
    yield "the start of every video", data.First(), All()
    yield f"the first {samples} videos by name", anywhere, SortedFirst(samples)
    yield f"{samples} of all clips", data.EveryWindow(step=1), WithoutReplacement(samples)
