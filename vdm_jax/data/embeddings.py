"""Captions as stored embeddings of a frozen text encoder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import ml_dtypes
import numpy as np

from vdm_jax import storage


@dataclass(frozen=True)
class Embeddings:
    """Token embeddings of every caption of a data set, precomputed by a frozen text encoder.

    `vdm-jax embed` writes the folder: captions.json (a list of distinct captions), lengths.npy
    (number of real tokens of each, [n]) and embeddings.npy [n l d] in float16, float32, or the bits
    of bfloat16 as uint16.

    path: the folder, or a remote one.
    length: tokens of a caption; longer embeddings are truncated, shorter ones padded.
    features: features of a token.
    """

    path: str
    length: int
    features: int

    @cached_property
    def _arrays(self) -> tuple[dict[str, int], np.ndarray, np.ndarray]:
        """The index of each caption, lengths [n], and embeddings [n l d]."""
        folder = storage.cached_copy(self.path)
        for name in ("captions.json", "lengths.npy", "embeddings.npy"):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f"Embeddings.path: {folder / name} is missing; the folder holds captions.json, "
                    "lengths.npy and embeddings.npy of one text encoder"
                )
        captions = json.loads((folder / "captions.json").read_text())
        rows = np.load(folder / "embeddings.npy", mmap_mode="r")
        if rows.ndim != 3 or rows.shape[0] != len(captions) or rows.shape[2] != self.features:
            raise ValueError(
                f"{folder / 'embeddings.npy'} is {rows.shape}, expected "
                f"({len(captions)}, tokens, {self.features}): one row for each of captions.json"
            )
        if rows.dtype == np.uint16:
            rows = rows.view(ml_dtypes.bfloat16)
        return {c: i for i, c in enumerate(captions)}, np.load(folder / "lengths.npy"), rows

    def has(self, caption: str) -> bool:
        """Whether the folder has an embedding of a caption; True for an empty one."""
        return not caption or caption in self._arrays[0]

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`text` float32 [b l d], and `text_mask` bool [b l].

        Raises:
          ValueError: a caption without an embedding.
        """
        text = np.zeros((len(captions), self.length, self.features), np.float32)
        mask = np.zeros((len(captions), self.length), bool)
        for row, caption in enumerate(captions):
            if not caption:
                continue
            index, lengths, rows = self._arrays
            if caption not in index:
                raise ValueError(f"{self.path} has no embedding of the caption {caption!r}")
            length = min(int(lengths[index[caption]]), self.length)
            text[row, :length] = rows[index[caption], :length]
            mask[row, :length] = True
        return {"text": text, "text_mask": mask}
