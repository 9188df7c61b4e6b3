"""Text: captions as arrays, and a tokenizer for a closed vocabulary."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, Int32


@runtime_checkable
class Text(Protocol):
    """Turns captions into the arrays that a network takes."""

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """Fields of a batch, one row a caption: `text_mask` [b l], and `tokens` or `text`.

        The mask of an empty caption is all False.
        """
        ...


@dataclass(frozen=True)
class WordTokenizer:
    """One token for each word of a closed vocabulary.

    Word i of the vocabulary is token i + 1, and 0 is padding. Case and the marks . , ; : ! ? are
    ignored. A word outside the vocabulary or a caption of more than `length` words is an error.

    vocabulary: the words, each once.
    length: tokens of a row.
    """

    vocabulary: tuple[str, ...]
    length: int

    def __post_init__(self):
        if not self.vocabulary or len(self._tokens) != len(self.vocabulary):
            raise ValueError(
                "WordTokenizer.vocabulary must be one or more words, each once (case is ignored)"
            )
        for word in self.vocabulary:
            if self._split(word) != [word.lower()]:
                raise ValueError(f"WordTokenizer.vocabulary: {word!r} is not a single word")
        if self.length < 1:
            raise ValueError(f"WordTokenizer.length is {self.length}: it must be at least 1")

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {word.lower(): token for token, word in enumerate(self.vocabulary, start=1)}

    @staticmethod
    def _split(caption: str) -> list[str]:
        return re.findall(r"[^\s.,;:!?]+", caption.lower())

    @property
    def size(self) -> int:
        """The number of different tokens, padding included."""
        return len(self.vocabulary) + 1

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`tokens` int32 [b l], and `text_mask` bool [b l]."""
        tokens, mask = self.encode(captions)
        return {"tokens": tokens, "text_mask": mask}

    def encode(
        self, captions: Sequence[str]
    ) -> tuple[Int32[np.ndarray, "b l"], Bool[np.ndarray, "b l"]]:
        """Tokens, and a mask of the real ones; an empty caption is a row of padding.

        Raises:
          ValueError: an unknown word, or a caption that is too long.
        """
        tokens = np.zeros((len(captions), self.length), np.int32)
        for row, caption in zip(tokens, captions, strict=True):
            words = self._split(caption)
            if len(words) > self.length:
                raise ValueError(
                    f"caption {caption!r} has {len(words)} words, and rows have room for "
                    f"{self.length}: shorten it, or raise WordTokenizer.length to {len(words)}"
                )
            for place, word in enumerate(words):
                if word not in self._tokens:
                    near = difflib.get_close_matches(word, self._tokens, 1, cutoff=0.0)[0]
                    raise ValueError(
                        f"unknown word {word!r} in caption {caption!r}; "
                        f"the nearest known word is {near!r}"
                    )
                row[place] = self._tokens[word]
        return tokens, tokens != 0

    def decode(self, tokens: Int[np.ndarray, "b l"]) -> list[str]:
        """The words of each row, joined by spaces."""
        return [
            " ".join(self.vocabulary[token - 1] for token in row if token != 0) for row in tokens
        ]
