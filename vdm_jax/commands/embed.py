"""Write the embeddings of all captions of a data set, by a frozen T5.

CAPTIONS is the folder of a built data set (datasets/NAME) or a text file with a caption a line.
Every caption is embedded once, in bfloat16. Training reads the folder --out by `data.Embeddings`;
sampling encodes prompts that are not in it. What was stopped goes on when the same command is run
again (in a bucket, unless it was killed before it could send what it had). The weights are files of
huggingface.co: --weights names one, or a folder of several.
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
from vdm_jax.data.shards import find
from vdm_jax.progress import progress


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("captions", help="the folder of a built data set, or a text file")
    parser.add_argument("--out", required=True, help="the folder of the embeddings")
    parser.add_argument(
        "--encoder", default="t5-v1_1-xxl", help="t5-v1_1-SIZE or t5-SIZE (default: %(default)s)"
    )
    parser.add_argument("--weights", required=True, help="the encoder's file, or folder of files")
    parser.add_argument("--tokenizer", required=True, help="its spiece.model")
    parser.add_argument("--length", type=int, default=128, help="tokens (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="captions (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    encoder = sampling.TextEncoder(
        model(args.encoder), args.weights, data.SentencePiece(args.tokenizer, args.length)
    )
    captions = sorted(set(told(epath.Path(args.captions))) - {""})
    if not captions:
        raise config.ConfigError(f"{args.captions} holds no captions")
    with storage.resumable_dir(args.out) as out:
        embed(encoder, captions, out, args.batch)
    print(
        f"{len(captions):,} captions in {args.out}: "
        f"data.Embeddings({args.out!r}, length={args.length}, features={encoder.model.features})"
    )


def model(name: str) -> models.T5:
    """The T5 of a published name."""
    version, _, size = name.rpartition("-")
    makers = {"t5-v1_1": models.T5.v1_1, "t5": models.T5.original}
    if version not in makers:
        raise config.ConfigError(f"no encoder {name!r}; {config.nearest(version, makers)}-SIZE")
    return makers[version](size)


def told(path: epath.Path) -> Iterator[str]:
    """The captions of a text file or of all splits of a built data set."""
    if path.is_file():
        yield from map(str.strip, path.read_text().splitlines())
        return
    shards = find(str(path.parent), path.name)
    for split in shards.splits:
        records = shards.records(split)
        for number in range(len(records)):
            yield from (caption.decode() for caption in records[number].get("captions", ()))


def embed(encoder: sampling.TextEncoder, captions: list[str], out: Path, batch: int) -> None:
    """The folder `out` as `data.Embeddings` reads it; goes on where it was stopped."""
    mesh = parallel.Mesh().build()
    batch = -(-batch // mesh.size) * mesh.size
    shape = (len(captions), encoder.tokens.length, encoder.model.features)
    out.mkdir(parents=True, exist_ok=True)
    rows, names = out / ".embeddings.npy", out / ".captions.json"
    facts = json.dumps([config.to_json(encoder), captions])
    if (out / "captions.json").exists() or (names.exists() and names.read_text() != facts):
        raise config.ConfigError(f"{out} holds embeddings of other captions; name another --out")
    # Numpy knows no bfloat16: its bits are stored, and the reader gives them their meaning again.
    if names.exists():
        stored = np.lib.format.open_memmap(rows, "r+")
    else:
        stored = np.lib.format.open_memmap(rows, "w+", np.uint16, shape)
        np.save(out / "lengths.npy", np.zeros(len(captions), np.int32))
        names.write_text(facts)
    lengths = np.load(out / "lengths.npy")
    first = int((lengths > 0).sum()) // batch * batch  # whole batches only
    with progress() as bars:
        bar = bars.add_task("embedding", total=len(captions), completed=first)
        for start in range(first, len(captions), batch):
            part = captions[start : start + batch]
            filled = part + [part[0]] * (batch - len(part))
            text, mask = encoder.encode(filled, parallel.batch_sharding(mesh))
            bits = np.asarray(jax.lax.bitcast_convert_type(text, jnp.uint16))
            stored[start : start + len(part)] = bits[: len(part)]
            stored.flush()
            lengths[start : start + len(part)] = mask[: len(part)].sum(axis=1)
            np.save(out / ".lengths.npy", lengths)
            os.replace(out / ".lengths.npy", out / "lengths.npy")
            bars.advance(bar, len(part))
    sampling.write_encoder(out, encoder)
    os.replace(rows, out / "embeddings.npy")
    (out / "captions.json").write_text(json.dumps(captions))
    names.unlink()
