"""Captions as tokens of published text encoders, from their vocabulary files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32

from vdm_jax.data.byte_pairs import BytePairs
from vdm_jax.storage import local_path

_merges = lru_cache(maxsize=2)(BytePairs.read)  # 49,152 lines, and every protocol has its own


def _file(path: str, owner: str) -> Path:
    file = local_path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{owner}.path: there is no file {file}")
    return file


def _rows(
    found: Sequence[Sequence[int]], length: int, padding: int
) -> tuple[Int32[np.ndarray, "b l"], Bool[np.ndarray, "b l"]]:
    tokens = np.full((len(found), length), padding, np.int32)
    mask = np.zeros((len(found), length), bool)
    for row, ids in enumerate(found):
        tokens[row, : len(ids)], mask[row, : len(ids)] = ids, True
    return tokens, mask


@dataclass(frozen=True)
class SentencePiece:
    """The tokens of a SentencePiece model, such as T5's spiece.model (Kudo and Richardson 2018).

    Rows of `length`: the tokens of a caption, cut to fit, the end token, and padding 0.
    """

    path: str
    length: int

    @cached_property
    def _model(self):
        file = _file(self.path, "SentencePiece")
        try:
            import sentencepiece
        except ImportError as error:
            raise ImportError(
                "SentencePiece needs its package: pip install vdm_jax[text]"
            ) from error
        return sentencepiece.SentencePieceProcessor(model_file=str(file))

    @property
    def size(self) -> int:
        """The number of different tokens in the file."""
        return self._model.vocab_size()

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`tokens` int32 [b l], and `text_mask` bool [b l], the end token included."""
        rows = [self.encode(caption) if caption else [] for caption in captions]
        tokens, mask = _rows(rows, self.length, padding=0)
        return {"tokens": tokens, "text_mask": mask}

    def encode(self, caption: str) -> list[int]:
        """The tokens of a caption and the end token, `length` at the most."""
        return [*self._model.encode(caption)[: self.length - 1], self._model.eos_id()]

    def decode(self, tokens: Sequence[int]) -> str:
        """The caption that has these tokens, but for what the vocabulary does not know."""
        return self._model.decode([int(token) for token in tokens if token])


@dataclass(frozen=True)
class ClipBPE:
    """The tokens of CLIP, from bpe_simple_vocab_16e6.txt.gz (Radford et al. 2021).

    Rows of `length`: a start token, the tokens of a caption in lower case, cut to fit, an end
    token, and `padding`: the end token once more in Stable Diffusion 1, 0 in OpenAI's own code.
    """

    path: str
    length: int = 77
    padding: int = 49407

    @cached_property
    def _pairs(self) -> BytePairs:
        return _merges(_file(self.path, "ClipBPE"))

    @property
    def size(self) -> int:
        """The number of different tokens: 49,408."""
        return self._pairs.end + 1

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`tokens` int32 [b l], and `text_mask` bool [b l], start and end token included."""
        rows = [self.encode(caption) if caption else [] for caption in captions]
        tokens, mask = _rows(rows, self.length, self.padding)
        return {"tokens": tokens, "text_mask": mask}

    def encode(self, caption: str) -> list[int]:
        """The tokens of a caption between start and end, `length` at the most."""
        found = self._pairs.encode(caption)[: self.length - 2]
        return [self._pairs.start, *found, self._pairs.end]

    def decode(self, tokens: Sequence[int]) -> str:
        """The caption that has these tokens, in lower case, words and marks apart."""
        return self._pairs.decode([int(t) for t in tokens if t < self._pairs.start and t])
