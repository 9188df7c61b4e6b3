"""Samples for a protocol, made by a trained model and kept: what was interrupted goes on."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from vdm_jax import diffusion, parallel
from vdm_jax.checkpoints import atomic_file
from vdm_jax.config import differences
from vdm_jax.data import to_float
from vdm_jax.evaluation.protocols.prompts import Prompt, prompts_hash
from vdm_jax.evaluation.protocols.protocol import Protocol
from vdm_jax.evaluation.protocols.real import RealClips
from vdm_jax.evaluation.protocols.video_files import TABLE, Collection
from vdm_jax.evaluation.subject import CompletionModel, Model
from vdm_jax.progress import counted
from vdm_jax.types import Key

BATCH = 64
"""Samples of one key: fold_in(key, place of the batch), so that any batch can be made alone."""
RECORD = "samples.json"


def prompts_of(protocol: Protocol, real: Collection | None) -> list[Prompt]:
    """What every sample is asked to be, of all repeats one after the other.

    Raises:
      ValueError: the real videos decide, and are not given.
    """
    rules = protocol.generated
    if rules.asked.of_real and real is None:
        raise ValueError(
            f"what samples of {protocol.name} are asked to be is told by real videos: say where "
            "they are by --real DIR"
        )
    videos = () if real is None else real.videos
    if rules.source is not None and real is not None:
        videos = rules.source.clips(real).videos()
    return rules.asks(videos, protocol.repeats)


def generate(
    subject: Model,
    key: Key,
    protocol: Protocol,
    real: Collection | None,
    folder: str | os.PathLike,
    record: Mapping[str, Any],
) -> epath.Path:
    """The samples of a protocol in `folder`, a .npy [f h w c] each, with a table of their
    prompts.

    record: whose samples they are, as JSON; a folder with those of something else is refused.

    Raises:
      ValueError: the folder holds other samples; the model makes clips that the protocol cannot
        use.
    """
    folder, rules = epath.Path(folder), protocol.generated
    asks = prompts_of(protocol, real)
    if subject.data.frames < rules.span:
        raise ValueError(
            f"the model makes {subject.data.frames} frames, and {protocol.name} measures "
            f"{rules.span}: choose another protocol, or --set protocol.generated.frames="
            f"{subject.data.frames} protocol.real.frames={subject.data.frames}, which is another"
        )
    _claim(folder, {"samples": len(asks), "asks": prompts_hash(asks), **record})
    digits = max(5, len(str(len(asks) - 1)))
    names = [f"{i:0{digits}}.npy" for i in range(len(asks))]
    _write(folder / TABLE, _table(names, asks))
    there = {file.name for file in folder.iterdir()}
    after = None
    if rules.source is not None and real is not None:
        after = rules.source.clips(real)
    batches = [slice(start, start + BATCH) for start in range(0, len(asks), BATCH)]
    # All processes make a batch together, so they agree beforehand on which are missing.
    missing = [chosen for chosen in batches if not there.issuperset(names[chosen])]
    parallel.barrier(f"samples in {folder}")
    done = len(asks) - sum(len(names[chosen]) for chosen in missing)
    with counted(f"samples of {protocol.name}", len(asks), done) as advance:
        for chosen in missing:
            batch_key = jax.random.fold_in(key, chosen.start // BATCH)
            videos = _made(subject, batch_key, asks[chosen], protocol, after, chosen.start)
            if parallel.is_main_process():
                for name, video in zip(names[chosen], videos, strict=True):
                    _save(folder / name, video)
            advance(len(videos))
    parallel.barrier(f"all samples in {folder}")
    return folder


def _made(
    subject: Model,
    key: Key,
    asks: Sequence[Prompt],
    protocol: Protocol,
    after: RealClips | None,
    start: int,
) -> np.ndarray:
    """One batch of samples."""
    cond = subject.encode([ask.caption for ask in asks], [ask.label for ask in asks])
    rules = protocol.generated
    if after is None:
        return np.asarray(subject.generate(key, cond, len(asks)))
    if rules.given >= rules.frames:
        raise ValueError(
            f"{protocol.name} measures clips that are made again, by an autoencoder: write what "
            "it makes of the clips of --write-real into a folder, and give that by --generated"
        )
    places = [((start + i) // rules.each) % len(after) for i in range(len(asks))]
    true = np.stack([after[place]["video"] for place in places])
    frames = true.shape[1]
    if frames != subject.data.frames:
        raise ValueError(
            f"{protocol.name} goes on from clips of {frames} frames, and the model's have "
            f"{subject.data.frames}"
        )
    known = np.tile(np.arange(frames) < rules.given, (len(true), 1))
    completer: CompletionModel = subject  # pyright: ignore[reportAssignmentType]
    return np.asarray(
        completer.complete(
            key, cond, diffusion.KnownPixels(jnp.asarray(to_float(true)), jnp.asarray(known)),
            correction=diffusion.ReconstructionGuidance(10.0),
            known_noise=diffusion.ForwardProcessNoise(),
        )
    )  # fmt: skip


def _claim(folder: epath.Path, record: Mapping[str, Any]) -> None:
    """Says whose samples are in the folder, or refuses it."""
    record = json.loads(json.dumps(record))
    told = folder / RECORD
    if told.exists():
        found = differences(record, json.loads(told.read_text("utf-8")))
        if found:
            raise ValueError(
                f"{folder} holds samples of something else, {found[0]}: remove it, or name another"
            )
        return
    _write(told, json.dumps(record, indent=2) + "\n")


def _table(names: Sequence[str], asks: Sequence[Prompt]) -> str:
    """The prompts of samples; those without any are not in it."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("file", "caption", "label", "real"))
    for name, ask in zip(names, asks, strict=True):
        if ask.caption:
            rows.writerow((name, ask.caption, ask.label, ask.key))
    return text.getvalue()


def _save(path: epath.Path, video: np.ndarray) -> None:
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.save(file, video, allow_pickle=False)


def _write(path: epath.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        partial.write_text(text, "utf-8")
