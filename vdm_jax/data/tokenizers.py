"""Tokenizers of published text encoders, from their vocabulary files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, Int32

from vdm_jax.data.byte_pairs import BytePairs
from vdm_jax.storage import local_path

_read_merges = lru_cache(maxsize=2)(BytePairs.read)  # 49,152 lines; every protocol has a tokenizer


def _find_file(path: str, owner: str) -> Path:
    file = local_path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{owner}.path: there is no file {file}")
    return file


def _pad(
    sequences: Sequence[Sequence[int]], length: int, padding: int
) -> tuple[Int32[np.ndarray, "b l"], Bool[np.ndarray, "b l"]]:
    """Tokens padded to `length`, and a mask of the real ones."""
    tokens = np.full((len(sequences), length), padding, np.int32)
    mask = np.zeros((len(sequences), length), bool)
    for row, ids in enumerate(sequences):
        tokens[row, : len(ids)], mask[row, : len(ids)] = ids, True
    return tokens, mask


@dataclass(frozen=True)
class SentencePiece:
    """Tokenizer with a SentencePiece model, such as T5's spiece.model (Kudo and Richardson 2018).

    A row is the truncated tokens of a caption, the end token, and padding 0.

    path: the model file.
    length: tokens of a row.
    """

    path: str
    length: int

    @cached_property
    def _model(self):
        file = _find_file(self.path, "SentencePiece")
        try:
            import sentencepiece
        except ImportError as error:
            raise ImportError(
                "SentencePiece needs its package: pip install vdm_jax[text]"
            ) from error
        return sentencepiece.SentencePieceProcessor(model_file=str(file))

    @property
    def size(self) -> int:
        """The number of different tokens."""
        return self._model.vocab_size()

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`tokens` int32 [b l], and `text_mask` bool [b l], which includes the end token."""
        rows = [self.encode(caption) if caption else [] for caption in captions]
        tokens, mask = _pad(rows, self.length, padding=0)
        return {"tokens": tokens, "text_mask": mask}

    def encode(self, caption: str) -> list[int]:
        """The tokens of a caption and the end token, at most `length`."""
        return [*self._model.encode(caption)[: self.length - 1], self._model.eos_id()]

    def decode(self, tokens: Sequence[int] | Int[np.ndarray, " l"]) -> str:
        """The caption of some tokens, up to characters outside the vocabulary."""
        return self._model.decode([int(token) for token in tokens if token])


@dataclass(frozen=True)
class ClipBPE:
    """CLIP's tokenizer, from bpe_simple_vocab_16e6.txt.gz (Radford et al. 2021).

    A row is the start token, the truncated tokens of a caption in lower case, the end token, and
    padding.

    path: the vocabulary file.
    length: tokens of a row.
    padding: the padding token: the end token in Stable Diffusion 1, 0 in OpenAI's code.
    """

    path: str
    length: int = 77
    padding: int = 49407

    @cached_property
    def _pairs(self) -> BytePairs:
        return _read_merges(_find_file(self.path, "ClipBPE"))

    @property
    def size(self) -> int:
        """The number of different tokens: 49,408."""
        return self._pairs.end + 1

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`tokens` int32 [b l], and `text_mask` bool [b l], which includes start and end tokens."""
        rows = [self.encode(caption) if caption else [] for caption in captions]
        tokens, mask = _pad(rows, self.length, self.padding)
        return {"tokens": tokens, "text_mask": mask}

    def encode(self, caption: str) -> list[int]:
        """The tokens of a caption between start and end token, at most `length`."""
        tokens = self._pairs.encode(caption)[: self.length - 2]
        return [self._pairs.start, *tokens, self._pairs.end]

    def decode(self, tokens: Sequence[int] | Int[np.ndarray, " l"]) -> str:
        """The caption of some tokens, in lower case, with spaces around marks."""
        return self._pairs.decode([int(t) for t in tokens if t < self._pairs.start and t])
