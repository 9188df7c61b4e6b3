"""Samples by a protocol: features gathered, reference statistics cached, numbers with intervals."""

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
from vdm_jax.evaluation.features import Features
from vdm_jax.evaluation.networks import Random, find
from vdm_jax.evaluation.normalization import SubtractMeanClip
from vdm_jax.evaluation.protocols.generated import GeneratedClips
from vdm_jax.evaluation.protocols.measures import Measure
from vdm_jax.evaluation.protocols.prompts import Unconditional
from vdm_jax.evaluation.protocols.protocol import Protocol, protocol_hash
from vdm_jax.evaluation.protocols.real import RealClips
from vdm_jax.evaluation.protocols.rows import Rows
from vdm_jax.evaluation.protocols.samples import prompts_of
from vdm_jax.evaluation.protocols.video_files import Collection
from vdm_jax.evaluation.result import Result, Value
from vdm_jax.evaluation.statistics import Gathered, cached_features, fingerprint
from vdm_jax.storage import is_remote

CHUNK = 32
"""Clips to a file of gathered features: what an interruption can cost."""


def statistics_folder(run: str | os.PathLike | None = None) -> epath.Path:
    """Where features are kept: $VDM_JAX_STATISTICS, or .cache/vdm_jax/statistics at home.

    For a run in a bucket it is with the run, whose machines come and go.
    """
    named = os.environ.get("VDM_JAX_STATISTICS")
    if named:
        return epath.Path(named)
    if run is not None and is_remote(run):
        return epath.Path(run) / "protocols" / "statistics"
    return epath.Path("~/.cache/vdm_jax/statistics").expanduser()


@dataclass(frozen=True, eq=False)
class Pairs:
    """Each sample and the real clip that it was made of, one after the other as one clip."""

    made: GeneratedClips
    real: RealClips
    each: int

    def __len__(self) -> int:
        return len(self.made)

    def __getitem__(self, index: int) -> data.Element:
        made, true = self.made[index], self.real[(index // self.each) % len(self.real)]
        if made["video"].shape != true["video"].shape:
            raise ValueError(
                f"{made['key']} is {made['video'].shape[:3]} (frames, height, width), and the real "
                f"clip that it is compared with, {true['key']}, {true['video'].shape[:3]}"
            )
        return {"video": np.concatenate([made["video"], true["video"]]), "key": made["key"]}


def measure(
    protocol: Protocol,
    system: str,
    made: GeneratedClips,
    real: Collection | None,
    folder: str | os.PathLike | None = None,
    **told: Any,
) -> Result:
    """The numbers of `made` samples by the protocol, as a result with all that they depend on.

    folder: where features are kept, so that what was interrupted goes on, and reference statistics
    are computed once; `statistics_folder()` unless named. told: other fields of the result.

    Raises:
      ValueError: real clips are needed and not given; clips that do not fit, by name.
    """
    folder = epath.Path(folder or statistics_folder())
    if protocol.compared and real is None:
        raise ValueError(f"{protocol.name} compares with real clips: say where by --real DIR")
    reference = protocol.real.clips(real) if real is not None and protocol.compared else None
    warnings = made.warnings(protocol.samples)
    if reference is not None:
        warnings += reference.warnings() + _paces(made, reference)
    values = {}
    for one in protocol.measures:
        if one.against == "pairs":
            assert real is not None
            source = protocol.generated.source or protocol.real
            clips = Pairs(made, source.clips(real), protocol.generated.each)
            listing = [_listing(made), _listing(clips.real)]
        else:
            clips, listing = made, _listing(made)
        mine = _gathered(one.features, clips, listing, folder, f"{one.name} of samples")
        theirs = None
        if one.against == "real":
            assert reference is not None
            theirs = _gathered(one.features, reference, _listing(reference), folder,
                               f"{one.name} of real clips")  # fmt: skip
        captions = made.captions if one.captioned else []
        values[one.name] = _repeated(one, mine, theirs, captions, protocol)
    used = {name: told for m in protocol.measures for name, told in weights_of(m).items()}
    if any(told.get("random_weights") for told in used.values()):
        warnings.insert(0, "random weights: the numbers say nothing about the samples")
    if made.videos[0].captions:
        warnings += _prompts(protocol, made, real)
    return Result(
        system=system,
        protocol=config.to_json(protocol),
        protocol_hash=protocol_hash(protocol),
        values=values,
        reference_hash=None if reference is None else reference_hash(reference),
        weights=used,
        counts={"generated": len(made), "real": 0 if reference is None else len(reference)},
        warnings=warnings,
        **told,
    )


def _repeated(
    one: Measure, mine: Gathered, theirs: Gathered | None, captions: Sequence[str], p: Protocol
) -> Value:
    """A measure of all samples, or its mean and deviation over the repeats that there are."""
    whole = None if theirs is None else Rows(theirs, 0, theirs.clips)
    count = p.generated.count or mine.clips
    repeats = min(p.repeats, mine.clips // count)
    if repeats <= 1:
        rows = Rows(mine, 0, min(mine.clips, count)), whole, captions
        return {"value": one.value(*rows), **one.spread(*rows)}
    parts = [
        one.value(Rows(mine, start, start + count), whole, captions[start : start + count])
        for start in range(0, repeats * count, count)
    ]
    return {"value": float(np.mean(parts)), "std": float(np.std(parts)), "repeats": parts}


def _gathered(
    features: Features, clips: Any, listing: Any, folder: epath.Path, title: str
) -> Gathered:
    record = {
        "features": config.to_json(features),
        "weights": weights_of(features),
        "clips": fingerprint(listing),
    }
    return cached_features(features, clips, folder, record, chunk=CHUNK, title=title)


def _listing(clips: GeneratedClips | RealClips) -> list[Any]:
    """All that the clips depend on: rules, and which files they are of."""
    if isinstance(clips, GeneratedClips):
        rules, videos = clips.rules, clips.videos
        told: Any = [rules.frames, rules.stride, config.to_json(rules.pixels)]
    else:
        told, videos = config.to_json(clips.real), clips.collection.videos
    return [told, [(video.key, video.bytes, video.stamp) for video in videos]]


def reference_hash(clips: RealClips) -> str:
    """Of the real clips that are used, by names and sizes of their files, wherever these are."""
    files = [(video.key, video.bytes) for video in clips.videos()]
    return fingerprint([config.to_json(clips.real), files])


def weights_of(node: Any) -> dict[str, Mapping[str, Any]]:
    """The weights of every network in a tree, and its mean clip, by the name of its features."""
    if isinstance(node, SubtractMeanClip):
        return {node.file: {"sha256": _sha256(node.path())}}
    if hasattr(node, "weights") and hasattr(node, "network"):
        beside = weights_of(getattr(node, "pixels", ()))
        if isinstance(node.weights, Random):
            return {node.name: {"random_weights": True, "seed": node.weights.seed}, **beside}
        published, path = find(node.weights, node.network)
        path = published.path() if path is None else path
        found = {"random_weights": False, "weights": node.weights, "file": path.name}
        return {node.name: {**found, "sha256": _sha256(path)}, **beside}
    if isinstance(node, tuple):
        return {name: told for child in node for name, told in weights_of(child).items()}
    if hasattr(node, "__dataclass_fields__") and not isinstance(node, type):
        children = tuple(getattr(node, name) for name in config.fields(node))
        return weights_of(children)
    return {}


def _paces(made: GeneratedClips, real: RealClips) -> list[str]:
    """Whether files tell that measured frames of samples and of real clips are as far apart."""
    mine = [rate / made.rules.stride for rate in made.collection.rates if rate]
    rates = real.collection.rates if real.real.fps is None else (real.real.fps,)
    theirs = [rate / real.real.stride for rate in rates if rate]
    if (
        not mine
        or not theirs
        or (min(mine) <= 1.05 * max(theirs) and min(theirs) <= 1.05 * max(mine))
    ):
        return []
    return [
        f"measured frames of samples are {1 / min(mine):.3g} s apart, and those of real clips "
        f"{1 / min(theirs):.3g} s, as their files tell: motion differs in pace"
    ]


def _sha256(path: Path) -> str:
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prompts(protocol: Protocol, made: GeneratedClips, real: Collection | None) -> list[str]:
    """Whether samples were asked to be what the protocol asks."""
    asked = protocol.generated.asked
    if isinstance(asked, Unconditional):
        return []
    if asked.of_real and (real is None or not all(v.captions for v in real.videos)):
        return []
    wanted = Counter(ask.caption for ask in prompts_of(protocol, real))
    if set(wanted) == {""}:
        return []
    extra = Counter(made.captions) - wanted
    if not extra:
        return []
    count, caption = sum(extra.values()), next(iter(extra))
    return [
        f"{count} of {len(made)} samples have prompts that the protocol does not ask for, or more "
        f"often than it does: {caption!r}"
    ]
