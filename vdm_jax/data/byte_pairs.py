"""CLIP's byte-pair encoding: bytes as letters, merged in the order of a table."""

import gzip
import html
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

MERGES = 49152 - 256 - 2
"""Number of merges of the table that CLIP uses."""
CONTRACTIONS = ("'re", "'ve", "'ll", "'s", "'t", "'m", "'d")
END = "</w>"
"""The suffix of a word's last letter."""


def byte_letters() -> dict[int, str]:
    """A visible letter for every byte, in the order of the vocabulary: visible bytes themselves,
    the others above Latin-1."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {b: chr(256 + n) for n, b in enumerate(hidden)}


@dataclass(frozen=True, eq=False)
class BytePairs:
    """The vocabulary.

    ranks: rank of each pair; lower ranks merge first.
    ids: number of each token.
    """

    ranks: dict[tuple[str, str], int]
    ids: dict[str, int]
    _cache: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "BytePairs":
        """Reads a table of merges, one pair a line below a heading, gzipped or not."""
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
        pairs = [tuple(line.split()) for line in text.split("\n")[1 : MERGES + 1]]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError(f"{path} is no table of merges: it has lines that are not pairs")
        single = list(byte_letters().values())
        tokens = [*single, *(letter + END for letter in single), *("".join(p) for p in pairs)]
        ranks = {(first, second): n for n, (first, second) in enumerate(pairs)}
        return cls(ranks, {token: n for n, token in enumerate(tokens)})

    @property
    def start(self) -> int:
        """The start token."""
        return len(self.ids)

    @property
    def end(self) -> int:
        """The end token."""
        return len(self.ids) + 1

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without start and end."""
        text = " ".join(html.unescape(html.unescape(text)).split()).lower()
        return [token for word in split_words(text) for token in self._encode_word(word)]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some tokens, with a space after each word and mark."""
        names = list(self.ids)
        byte_of = {letter: byte for byte, letter in byte_letters().items()}
        text = "".join(names[token] for token in tokens).replace(END, " ")
        data = bytes(byte_of[letter] if letter != " " else 32 for letter in text)
        return data.decode("utf-8", errors="replace").strip()

    def _encode_word(self, word: str) -> list[int]:
        if word not in self._cache:
            table = byte_letters()
            tokens = [table[byte] for byte in word.encode()]
            tokens[-1] += END
            while len(tokens) > 1:
                best = min(pairwise(tokens), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                tokens = _merge(tokens, best)
            self._cache[word] = [self.ids[token] for token in tokens]
        return self._cache[word]


def _merge(tokens: list[str], pair: tuple[str, str]) -> list[str]:
    """`tokens` with every occurrence of `pair` merged."""
    merged, place = [], 0
    while place < len(tokens):
        if tuple(tokens[place : place + 2]) == pair:
            merged.append("".join(pair))
            place += 2
        else:
            merged.append(tokens[place])
            place += 1
    return merged


def split_words(text: str) -> Iterator[str]:
    """Contractions, runs of letters, single digits, and runs of other characters."""
    place = 0
    while place < len(text):
        kind = _character_class(text[place])
        end = place + 1
        contraction = next((c for c in CONTRACTIONS if text.startswith(c, place)), None)
        if contraction:
            end = place + len(contraction)
        elif kind in ("letter", "other"):
            while end < len(text) and _character_class(text[end]) == kind:
                end += 1
        if kind != "space":
            yield text[place:end]
        place = end


def _character_class(letter: str) -> str:
    if letter.isspace():
        return "space"
    return {"L": "letter", "N": "digit"}.get(unicodedata.category(letter)[0], "other")
