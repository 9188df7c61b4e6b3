"""Samples of a trained model for a protocol, saved in a folder from which generation resumes."""

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
from vdm_jax.config import differences
from vdm_jax.data import to_float
from vdm_jax.interfaces import CompletionModel, Model
from vdm_jax.progress import progress_bar
from vdm_jax.protocols.prompts import Prompt, prompts_hash
from vdm_jax.protocols.protocol import Protocol
from vdm_jax.protocols.real import RealClips
from vdm_jax.protocols.video_files import TABLE, Collection
from vdm_jax.storage import atomic_file
from vdm_jax.types import Key

BATCH = 64
"""Samples per key; the key of a batch is fold_in(key, index of the batch)."""
RECORD = "samples.json"


def prompts_of(protocol: Protocol, real: Collection | None) -> list[Prompt]:
    """The prompt of every sample, of all repeats one after the other.

    Raises:
      ValueError: the prompts depend on real videos and none are given.
    """
    rules = protocol.generated
    if rules.prompts.needs_real and real is None:
        raise ValueError(f"the prompts of {protocol.name} come from real videos: give --real DIR")
    videos = () if real is None else real.videos
    if rules.source is not None and real is not None:
        videos = rules.source.clips(real).videos()
    return rules.make_prompts(videos, protocol.repeats)


def generate(
    model: Model,
    key: Key,
    protocol: Protocol,
    real: Collection | None,
    folder: str | os.PathLike,
    record: Mapping[str, Any],
) -> epath.Path:
    """Generates the samples of a protocol into `folder`, a .npy [f h w c] each and a prompt table.

    Samples that are already in the folder are not generated again.

    record: JSON of all that the samples depend on; a folder with another record is refused.

    Raises:
      ValueError: the folder holds other samples, or the model's clips do not fit the protocol.
    """
    folder, rules = epath.Path(folder), protocol.generated
    prompts = prompts_of(protocol, real)
    if model.data.frames < rules.span:
        raise ValueError(
            f"the model generates {model.data.frames} frames and {protocol.name} measures "
            f"{rules.span}: choose another protocol, or change this one with --set "
            f"protocol.generated.frames={model.data.frames} "
            f"protocol.real.frames={model.data.frames}"
        )
    _claim(folder, {"samples": len(prompts), "prompts": prompts_hash(prompts), **record})
    digits = max(5, len(str(len(prompts) - 1)))
    names = [f"{i:0{digits}}.npy" for i in range(len(prompts))]
    _write(folder / TABLE, _table(names, prompts))
    saved = {file.name for file in folder.iterdir()}
    source = None
    if rules.source is not None and real is not None:
        source = rules.source.clips(real)
    batches = [slice(start, start + BATCH) for start in range(0, len(prompts), BATCH)]
    # All processes generate a batch together, so all list the missing ones before any is saved.
    missing = [batch for batch in batches if not saved.issuperset(names[batch])]
    parallel.barrier(f"samples in {folder}")
    done = len(prompts) - sum(len(names[batch]) for batch in missing)
    with progress_bar(f"samples of {protocol.name}", len(prompts), done) as advance:
        for batch in missing:
            batch_key = jax.random.fold_in(key, batch.start // BATCH)
            videos = _batch(model, batch_key, prompts[batch], protocol, source, batch.start)
            if parallel.is_main_process():
                for name, video in zip(names[batch], videos, strict=True):
                    _save(folder / name, video)
            advance(len(videos))
    parallel.barrier(f"all samples in {folder}")
    return folder


def _batch(
    model: Model,
    key: Key,
    prompts: Sequence[Prompt],
    protocol: Protocol,
    source: RealClips | None,
    start: int,
) -> np.ndarray:
    """One batch of samples, the first of which is number `start`."""
    cond = model.encode([p.caption for p in prompts], [p.label for p in prompts])
    rules = protocol.generated
    if source is None:
        return np.asarray(model.generate(key, cond, len(prompts)))
    if rules.given >= rules.frames:
        raise ValueError(
            f"{protocol.name} measures reconstructions by an autoencoder: reconstruct the clips of "
            "--write-real into a folder, and give that folder as --generated"
        )
    indices = [((start + i) // rules.each) % len(source) for i in range(len(prompts))]
    true = np.stack([source[index]["video"] for index in indices])
    frames = true.shape[1]
    if frames != model.data.frames:
        raise ValueError(
            f"{protocol.name} completes clips of {frames} frames and the model generates "
            f"{model.data.frames}: they must be equal"
        )
    known = np.tile(np.arange(frames) < rules.given, (len(true), 1))
    completer: CompletionModel = model  # pyright: ignore[reportAssignmentType]
    return np.asarray(
        completer.complete(
            key, cond, diffusion.KnownPixels(jnp.asarray(to_float(true)), jnp.asarray(known)),
            correction=diffusion.ReconstructionGuidance(10.0),
            known_noise=diffusion.ForwardProcessNoise(),
        )
    )  # fmt: skip


def _claim(folder: epath.Path, record: Mapping[str, Any]) -> None:
    """Writes the record into the folder, or refuses a folder with another record."""
    record = json.loads(json.dumps(record))
    file = folder / RECORD
    if file.exists():
        saved = json.loads(file.read_text("utf-8"))
        if "asks" in saved:  # as older versions called it
            saved["prompts"] = saved.pop("asks")
        if changes := differences(record, saved):
            raise ValueError(
                f"{folder} holds other samples, {changes[0]}: remove it, or name another folder"
            )
        return
    _write(file, json.dumps(record, indent=2) + "\n")


def _table(names: Sequence[str], prompts: Sequence[Prompt]) -> str:
    """The prompts of samples as CSV, without those of no caption."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("file", "caption", "label", "real"))
    for name, prompt in zip(names, prompts, strict=True):
        if prompt.caption:
            rows.writerow((name, prompt.caption, prompt.label, prompt.key))
    return text.getvalue()


def _save(path: epath.Path, video: np.ndarray) -> None:
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.save(file, video, allow_pickle=False)


def _write(path: epath.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        partial.write_text(text, "utf-8")
