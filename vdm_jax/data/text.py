"""Captions as rows of integers."""

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
    """Captions as the arrays that a network reads."""

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """Fields of a batch, one row a caption: `text_mask` [b l], and `tokens` or `text`.

        An empty caption is no caption: its mask is False throughout.
        """
        ...


@dataclass(frozen=True)
class WordTokenizer:
    """One token per word of a closed `vocabulary`, rows of `length` tokens.

    Word i of the vocabulary is token i + 1 and 0 is padding. Case and the marks . , ; : ! ? are
    ignored. A word outside the vocabulary or a caption of more than `length` words is an error.
    """

    vocabulary: tuple[str, ...]
    length: int

    def __post_init__(self):
        if not self.vocabulary or len(self._tokens) != len(self.vocabulary):
            raise ValueError("Words.vocabulary: one or more words, each once (case is ignored)")
        for word in self.vocabulary:
            if self._split(word) != [word.lower()]:
                raise ValueError(f"Words.vocabulary: {word!r} is not a single word")
        if self.length < 1:
            raise ValueError(f"Words.length is {self.length}: it is at least 1")

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {word.lower(): token for token, word in enumerate(self.vocabulary, start=1)}

    @staticmethod
    def _split(caption: str) -> list[str]:
        return re.findall(r"[^\s.,;:!?]+", caption.lower())

    @property
    def size(self) -> int:
        """The number of different tokens: the vocabulary and the padding."""
        return len(self.vocabulary) + 1

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`tokens` int32 [b l], and `text_mask` bool [b l]."""
        tokens, mask = self.encode(captions)
        return {"tokens": tokens, "text_mask": mask}

    def encode(
        self, captions: Sequence[str]
    ) -> tuple[Int32[np.ndarray, "b l"], Bool[np.ndarray, "b l"]]:
        """Tokens, and where they are real ones. An empty caption is a row of padding."""
        tokens = np.zeros((len(captions), self.length), np.int32)
        for row, caption in zip(tokens, captions, strict=True):
            words = self._split(caption)
            if len(words) > self.length:
                raise ValueError(
                    f"caption {caption!r} has {len(words)} words, and rows have room for "
                    f"{self.length}: shorten it, or raise Words.length to {len(words)}"
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
