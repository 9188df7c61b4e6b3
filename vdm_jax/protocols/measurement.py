"""Measuring samples by a protocol, with cached features and intervals."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath

from vdm_jax import config, data
from vdm_jax.metrics.features import Features
from vdm_jax.metrics.fingerprint import fingerprint
from vdm_jax.metrics.networks import RandomWeights, find_weights
from vdm_jax.metrics.normalization import SubtractMeanClip
from vdm_jax.metrics.statistics import StoredFeatures, cached_features
from vdm_jax.protocols.clip_features import ClipFeatures
from vdm_jax.protocols.generated import GeneratedClips
from vdm_jax.protocols.measures import Measure
from vdm_jax.protocols.prompts import Unconditional
from vdm_jax.protocols.protocol import Protocol, protocol_hash
from vdm_jax.protocols.real import RealClips
from vdm_jax.protocols.result import Result, Value
from vdm_jax.protocols.samples import prompts_of
from vdm_jax.protocols.video_files import Collection
from vdm_jax.storage import is_remote

CHUNK = 32
"""Clips per file of features; an interruption loses at most one file."""


def statistics_folder(run: str | os.PathLike | None = None) -> epath.Path:
    """The cache of features: $VDM_JAX_STATISTICS, or ~/.cache/vdm_jax/statistics.

    For a run on gs:// or s3:// the default is inside the run, so that it outlives the machine.
    """
    configured = os.environ.get("VDM_JAX_STATISTICS")
    if configured:
        return epath.Path(configured)
    if run is not None and is_remote(run):
        return epath.Path(run) / "protocols" / "statistics"
    return epath.Path("~/.cache/vdm_jax/statistics").expanduser()


@dataclass(frozen=True, eq=False)
class Pairs:
    """Clips that are a sample followed by the real clip that it was made from.

    generated: the samples.
    real: the real clips.
    each: consecutive samples per real clip.
    """

    generated: GeneratedClips
    real: RealClips
    each: int

    def __len__(self) -> int:
        return len(self.generated)

    def __getitem__(self, index: int) -> data.Element:
        sample, true = self.generated[index], self.real[(index // self.each) % len(self.real)]
        if sample["video"].shape != true["video"].shape:
            raise ValueError(
                f"{sample['key']} has (frames, height, width) {sample['video'].shape[:3]} and its "
                f"real clip {true['key']} has {true['video'].shape[:3]}: they must be equal"
            )
        return {"video": np.concatenate([sample["video"], true["video"]]), "key": sample["key"]}


def measure(
    protocol: Protocol,
    system: str,
    generated: GeneratedClips,
    real: Collection | None,
    folder: str | os.PathLike | None = None,
    **fields: Any,
) -> Result:
    """Measures samples by the protocol.

    system: the name of the evaluated model.
    generated: the samples.
    real: the real videos, if the protocol needs any.
    folder: the cache of features, from which an interrupted measurement resumes; None is
      `statistics_folder()`.
    fields: further fields of the result.

    Raises:
      ValueError: real videos are needed and not given, or clips do not fit the protocol.
    """
    folder = epath.Path(folder or statistics_folder())
    if protocol.has_reference and real is None:
        raise ValueError(f"{protocol.name} compares with real clips: give --real DIR")
    reference = protocol.real.clips(real) if real is not None and protocol.has_reference else None
    warnings = generated.warnings(protocol.samples)
    if reference is not None:
        warnings += reference.warnings() + _frame_rate_warnings(generated, reference)
    values = {}
    for metric in protocol.measures:
        if metric.against == "pairs":
            assert real is not None
            source = protocol.generated.source or protocol.real
            clips = Pairs(generated, source.clips(real), protocol.generated.each)
            listing = [_listing(generated), _listing(clips.real)]
        else:
            clips, listing = generated, _listing(generated)
        samples = _features(metric.features, clips, listing, folder, f"{metric.name} of samples")
        reals = None
        if metric.against == "real":
            assert reference is not None
            reals = _features(metric.features, reference, _listing(reference), folder,
                              f"{metric.name} of real clips")  # fmt: skip
        captions = generated.captions if metric.needs_captions else []
        values[metric.name] = _value(metric, samples, reals, captions, protocol)
    weights = {name: record for m in protocol.measures for name, record in weights_of(m).items()}
    if any(record.get("random_weights") for record in weights.values()):
        warnings.insert(0, "random weights: the numbers mean nothing")
    if generated.videos[0].captions:
        warnings += _prompt_warnings(protocol, generated, real)
    return Result(
        system=system,
        protocol=config.to_json(protocol),
        protocol_hash=protocol_hash(protocol),
        values=values,
        reference_hash=None if reference is None else reference_hash(reference),
        weights=weights,
        counts={"generated": len(generated), "real": 0 if reference is None else len(reference)},
        warnings=warnings,
        **fields,
    )


def _value(
    metric: Measure,
    samples: StoredFeatures,
    reals: StoredFeatures | None,
    captions: Sequence[str],
    protocol: Protocol,
) -> Value:
    """A measure of all samples, or its mean and standard deviation over the available repeats."""
    real = None if reals is None else ClipFeatures(reals, 0, reals.clips)
    count = protocol.generated.count or samples.clips
    repeats = min(protocol.repeats, samples.clips // count)
    if repeats <= 1:
        features = ClipFeatures(samples, 0, min(samples.clips, count)), real, captions
        return {"value": metric.value(*features), **metric.spread(*features)}
    values = [
        metric.value(
            ClipFeatures(samples, start, start + count), real, captions[start : start + count]
        )
        for start in range(0, repeats * count, count)
    ]
    return {"value": float(np.mean(values)), "std": float(np.std(values)), "repeats": values}


def _features(
    features: Features, clips: Any, listing: Any, folder: epath.Path, title: str
) -> StoredFeatures:
    record = {
        "features": config.to_json(features),
        "weights": weights_of(features),
        "clips": fingerprint(listing),
    }
    return cached_features(features, clips, folder, record, chunk=CHUNK, title=title)


def _listing(clips: GeneratedClips | RealClips) -> list[Any]:
    """JSON of all that the clips depend on: the protocol's rules and the files."""
    if isinstance(clips, GeneratedClips):
        videos = clips.videos
        rules: Any = [clips.rules.frames, clips.rules.stride, config.to_json(clips.rules.pixels)]
    else:
        rules, videos = config.to_json(clips.real), clips.collection.videos
    return [rules, [(video.key, video.bytes, video.stamp) for video in videos]]


def reference_hash(clips: RealClips) -> str:
    """Hash of the real clips: of their rules and of the names and sizes of their files."""
    files = [(video.key, video.bytes) for video in clips.videos()]
    return fingerprint([config.to_json(clips.real), files])


def weights_of(node: Any) -> dict[str, Mapping[str, Any]]:
    """The weights of every network in a tree by features' name, and its mean clips by file."""
    if isinstance(node, SubtractMeanClip):
        return {node.file: {"sha256": _sha256(node.path())}}
    if hasattr(node, "weights") and hasattr(node, "network"):
        mean_clips = weights_of(getattr(node, "pixels", ()))
        if isinstance(node.weights, RandomWeights):
            return {node.name: {"random_weights": True, "seed": node.weights.seed}, **mean_clips}
        published, path = find_weights(node.weights, node.network)
        path = published.path() if path is None else path
        record = {"random_weights": False, "weights": node.weights, "file": path.name}
        return {node.name: {**record, "sha256": _sha256(path)}, **mean_clips}
    if isinstance(node, tuple):
        return {name: record for child in node for name, record in weights_of(child).items()}
    if hasattr(node, "__dataclass_fields__") and not isinstance(node, type):
        children = tuple(getattr(node, name) for name in config.fields(node))
        return weights_of(children)
    return {}


def _frame_rate_warnings(generated: GeneratedClips, real: RealClips) -> list[str]:
    """A warning if, by their files, measured frames of samples and real clips differ in rate."""
    samples = [rate / generated.rules.stride for rate in generated.collection.rates if rate]
    rates = real.collection.rates if real.real.fps is None else (real.real.fps,)
    reals = [rate / real.real.stride for rate in rates if rate]
    if (
        not samples
        or not reals
        or (min(samples) <= 1.05 * max(reals) and min(reals) <= 1.05 * max(samples))
    ):
        return []
    return [
        f"measured frames are {1 / min(samples):.3g} s apart in samples and "
        f"{1 / min(reals):.3g} s apart in real clips, according to their files: motion differs in "
        "speed"
    ]


def _sha256(path: Path) -> str:
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prompt_warnings(
    protocol: Protocol, generated: GeneratedClips, real: Collection | None
) -> list[str]:
    """A warning if prompts of samples are not those of the protocol."""
    source = protocol.generated.prompts
    if isinstance(source, Unconditional):
        return []
    if source.needs_real and (real is None or not all(v.captions for v in real.videos)):
        return []
    expected = Counter(prompt.caption for prompt in prompts_of(protocol, real))
    if set(expected) == {""}:
        return []
    extra = Counter(generated.captions) - expected
    if not extra:
        return []
    count, caption = sum(extra.values()), next(iter(extra))
    return [
        f"{count} of {len(generated)} samples have prompts that the protocol does not have, or has "
        f"less often, such as {caption!r}"
    ]
