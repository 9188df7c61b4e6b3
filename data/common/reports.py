"""The report of a build: counts, and why clips are missing."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class BuildError(Exception):
    """Nothing can be built; the message names the thing and the likely fix."""


@dataclass
class Report:
    """Counts, and a reason for each video that is not in the shards.

    dataset: name of the data set.
    expected: published number of clips, by split.
    found: number of videos in the archive or its lists.
    written: number of clips in the shards, by split.
    dropped: reason for each name that is not built.
    notes: oddities of clips that are built.
    """

    dataset: str
    expected: Mapping[str, int] = field(default_factory=dict)
    found: int = 0
    written: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def drop(self, name: str, reason: str) -> None:
        """Records why `name` is not built; only the first reason counts."""
        self.dropped.setdefault(name, reason)

    def note(self, name: str, text: str) -> None:
        """Records an oddity of `name`, which is built all the same."""
        self.notes.setdefault(name, text)

    @property
    def mismatches(self) -> dict[str, tuple[int, int]]:
        """(written, expected) of each split whose count differs from the published one."""
        pairs = {name: (self.written.get(name, 0), n) for name, n in self.expected.items()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def complete(self) -> bool:
        """Whether nothing is dropped and the counts are the published ones."""
        return not self.dropped and not self.mismatches

    def save(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", "utf-8")

    def to_dict(self) -> dict[str, Any]:
        """The fields and `complete`, by name."""
        names = ("dataset", "found", "written", "expected", "dropped", "notes")
        return {"complete": self.complete} | {name: getattr(self, name) for name in names}

    @classmethod
    def load(cls, path: Path) -> "Report":
        """The inverse of `save`."""
        tree = json.loads(path.read_text("utf-8"))
        tree.pop("complete")
        return cls(**tree)

    def __str__(self) -> str:
        lines = [f"{self.dataset}: found {self.found:,}, dropped {len(self.dropped):,}"]
        for name, count in self.written.items():
            expected = self.expected.get(name)
            published = "" if expected is None else f" of {expected:,} published"
            lines.append(f"  {name}: {count:,}{published}")
        lines += [f"  {name}: 0 of {n:,} published"
                  for name, n in self.expected.items() if name not in self.written]  # fmt: skip
        for title, table in (("dropped", self.dropped), ("note", self.notes)):
            reasons = defaultdict(list)
            for name, reason in table.items():
                reasons[reason].append(name)
            for reason, names in sorted(reasons.items(), key=lambda pair: -len(pair[1])):
                more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
                lines.append(f"  {title} {len(names):,}: {', '.join(names[:3])}{more}: {reason}")
        return "\n".join(lines)
