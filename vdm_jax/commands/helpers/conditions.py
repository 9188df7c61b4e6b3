"""Captions and labels of the samples that a command line names."""

import argparse
import itertools
from collections.abc import Sequence

from vdm_jax import config
from vdm_jax.data import Source
from vdm_jax.evaluation.elements import up_to


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """Adds `--prompt`, `--label` and `--count`."""
    parser.add_argument("--prompt", action="append", help="a caption; may be repeated")
    parser.add_argument("--label", action="append", type=int, help="a class; may be repeated")
    parser.add_argument(
        "--count", type=int,
        help="number of samples (default: one per prompt or label, 1 of your own video, else 16, "
        "or 4 from a cascade)",
    )  # fmt: skip


def captions_and_labels(
    prompts: Sequence[str] | None,
    labels: Sequence[int] | None,
    count: int | None,
    *,
    held_out: Source | None,
    default_count: int,
) -> tuple[list[str], list[int]]:
    """Captions ("": none) and labels (-1: none) of `count` samples, taken in rotation.

    held_out: without prompts and labels, those of its held-out clips; None: neither.
    default_count: the count without prompts and labels.
    """
    pairs = [(p, -1) for p in prompts or ()] + [("", n) for n in labels or ()]
    count = count or len(pairs) or default_count
    if not pairs and held_out is None:
        pairs = [("", -1)]
    elif not pairs and held_out is not None:
        clips = up_to(held_out, "held_out", count)
        pairs = [(str(clip.get("caption", "")), int(clip.get("label", -1))) for clip in clips]
    if not pairs:
        raise config.ConfigError("the data has no held-out clips: give a --prompt or a --label")
    rotation = list(itertools.islice(itertools.cycle(pairs), count))
    return [caption for caption, _ in rotation], [label for _, label in rotation]
