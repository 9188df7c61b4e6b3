"""Byte-pair encoding as CLIP has it: bytes as letters, merged in the order of a table."""

import gzip
import html
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

MERGES = 49152 - 256 - 2
"""How many of the table's merges CLIP uses."""
CONTRACTIONS = ("'re", "'ve", "'ll", "'s", "'t", "'m", "'d")
END = "</w>"
"""What the last letter of a word carries."""


def letters() -> dict[int, str]:
    """A visible letter for every byte, in the order of the vocabulary: visible bytes themselves,
    the others behind all of Latin-1."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {b: chr(256 + n) for n, b in enumerate(hidden)}


@dataclass(frozen=True, eq=False)
class BytePairs:
    """The vocabulary: `ranks` of pairs, earlier ones merged first, and the number of each token."""

    ranks: dict[tuple[str, str], int]
    numbers: dict[str, int]
    _known: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "BytePairs":
        """From a table of merges, a pair a line below one line of heading, gzipped or not."""
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
        pairs = [tuple(line.split()) for line in text.split("\n")[1 : MERGES + 1]]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError(f"{path} is no table of merges: it has lines that are not pairs")
        single = list(letters().values())
        tokens = [*single, *(letter + END for letter in single), *("".join(p) for p in pairs)]
        ranks = {(first, second): n for n, (first, second) in enumerate(pairs)}
        return cls(ranks, {token: n for n, token in enumerate(tokens)})

    @property
    def start(self) -> int:
        """The token before a text."""
        return len(self.numbers)

    @property
    def end(self) -> int:
        """The token behind a text."""
        return len(self.numbers) + 1

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without start and end."""
        text = " ".join(html.unescape(html.unescape(text)).split()).lower()
        return [token for word in words(text) for token in self._word(word)]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some tokens; words and marks have a space behind them."""
        names = list(self.numbers)
        back = {letter: byte for byte, letter in letters().items()}
        told = "".join(names[token] for token in tokens).replace(END, " ")
        data = bytes(back[letter] if letter != " " else 32 for letter in told)
        return data.decode("utf-8", errors="replace").strip()

    def _word(self, word: str) -> list[int]:
        if word not in self._known:
            table = letters()
            parts = [table[byte] for byte in word.encode()]
            parts[-1] += END
            while len(parts) > 1:
                best = min(pairwise(parts), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                parts = _merged(parts, best)
            self._known[word] = [self.numbers[part] for part in parts]
        return self._known[word]


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """`parts` with every occurrence of `pair` made one."""
    found, place = [], 0
    while place < len(parts):
        if tuple(parts[place : place + 2]) == pair:
            found.append("".join(pair))
            place += 2
        else:
            found.append(parts[place])
            place += 1
    return found


def words(text: str) -> Iterator[str]:
    """Contractions, runs of letters, single digits, and runs of anything else."""
    place = 0
    while place < len(text):
        kind = _kind(text[place])
        end = place + 1
        contraction = next((c for c in CONTRACTIONS if text.startswith(c, place)), None)
        if contraction:
            end = place + len(contraction)
        elif kind in ("letter", "other"):
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != "space":
            yield text[place:end]
        place = end


def _kind(letter: str) -> str:
    if letter.isspace():
        return "space"
    return {"L": "letter", "N": "digit"}.get(unicodedata.category(letter)[0], "other")
