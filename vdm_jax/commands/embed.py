"""Encode all captions of a data set with a frozen T5, once.

CAPTIONS is the folder of a built data set (datasets/NAME) or a text file with a caption per line.
Training reads the embeddings (bfloat16) from --out by `data.Embeddings`; sampling encodes prompts
that are not among them. Rerun the same command to resume an interrupted one (on gs:// and s3://
unless it was killed before uploading). The weights are files of huggingface.co: --weights names
one, or a folder of several.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from vdm_jax import config, data, models, parallel, sampling, storage
from vdm_jax.data.shards import find_dataset
from vdm_jax.progress import progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("captions", help="the folder of a built data set, or a text file")
    parser.add_argument("--out", required=True, help="the folder of the embeddings")
    parser.add_argument(
        "--encoder", default="t5-v1_1-xxl", help="t5-v1_1-SIZE or t5-SIZE (default: %(default)s)"
    )
    parser.add_argument("--weights", required=True, help="the encoder's file, or folder of files")
    parser.add_argument("--tokenizer", required=True, help="the encoder's spiece.model")
    parser.add_argument(
        "--length", type=int, default=128, help="tokens per caption (default: %(default)s)"
    )
    parser.add_argument(
        "--batch", type=int, default=64, help="captions per batch (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    encoder = sampling.TextEncoder(
        build_model(args.encoder), args.weights, data.SentencePiece(args.tokenizer, args.length)
    )
    captions = sorted(set(read_captions(epath.Path(args.captions))) - {""})
    if not captions:
        raise config.ConfigError(f"{args.captions} holds no captions")
    with storage.resumable_dir(args.out) as out:
        embed(encoder, captions, out, args.batch)
    print(
        f"{len(captions):,} captions in {args.out}: "
        f"data.Embeddings({args.out!r}, length={args.length}, features={encoder.model.features})"
    )


def build_model(name: str) -> models.T5:
    """The T5 of a published name, such as t5-v1_1-xxl."""
    version, _, size = name.rpartition("-")
    makers = {"t5-v1_1": models.T5.v1_1, "t5": models.T5.original}
    if version not in makers:
        raise config.ConfigError(f"no encoder {name!r}; {config.nearest(version, makers)}-SIZE")
    return makers[version](size)


def read_captions(path: epath.Path) -> Iterator[str]:
    """The captions of a text file or of all splits of a built data set."""
    if path.is_file():
        yield from map(str.strip, path.read_text().splitlines())
        return
    shards = find_dataset(str(path.parent), path.name)
    for split in shards.splits:
        records = shards.records(split)
        for number in range(len(records)):
            yield from (caption.decode() for caption in records[number].get("captions", ()))


def embed(encoder: sampling.TextEncoder, captions: list[str], out: Path, batch: int) -> None:
    """Writes the folder `out` for `data.Embeddings`, resuming after its last complete batch.

    batch: captions at a time, rounded up to a multiple of the devices.
    """
    mesh = parallel.Mesh().build()
    batch = -(-batch // mesh.size) * mesh.size
    shape = (len(captions), encoder.tokens.length, encoder.model.features)
    out.mkdir(parents=True, exist_ok=True)
    rows, names = out / ".embeddings.npy", out / ".captions.json"
    facts = json.dumps([config.to_json(encoder), captions])
    if (out / "captions.json").exists() or (names.exists() and names.read_text() != facts):
        raise config.ConfigError(f"{out} holds embeddings of other captions; name another --out")
    # .npy has no bfloat16: its bits are stored as uint16, and `data.Embeddings` views them.
    if names.exists():
        stored = np.lib.format.open_memmap(rows, "r+")
    else:
        stored = np.lib.format.open_memmap(rows, "w+", np.uint16, shape)
        np.save(out / "lengths.npy", np.zeros(len(captions), np.int32))
        names.write_text(facts)
    lengths = np.load(out / "lengths.npy")
    first = int((lengths > 0).sum()) // batch * batch  # complete batches only
    with progress_bar("embedding", len(captions), first, lines=False) as advance:
        for start in range(first, len(captions), batch):
            part = captions[start : start + batch]
            filled = part + [part[0]] * (batch - len(part))
            text, mask = encoder.encode(filled, parallel.batch_sharding(mesh))
            bits = np.asarray(jax.lax.bitcast_convert_type(text, jnp.uint16))
            stored[start : start + len(part)] = bits[: len(part)]
            stored.flush()
            lengths[start : start + len(part)] = mask[: len(part)].sum(axis=1)
            with storage.atomic_file(out / "lengths.npy") as partial, partial.open("wb") as file:
                np.save(file, lengths)
            advance(len(part))
    sampling.write_encoder(out, encoder)
    os.replace(rows, out / "embeddings.npy")
    (out / "captions.json").write_text(json.dumps(captions))
    names.unlink()
