"""The account of a build: what was found and written, and why the rest was not."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Problem(Exception):
    """Nothing can be built; the message names the thing and the likely fix."""


@dataclass
class Report:
    """Counts, and a reason for each thing found that is not in the shards.

    found: videos that the archive holds or its lists name. written: clips in the shards, by split.
    expected: the published counts, by split. notes: what is odd in things that were written.
    """

    dataset: str
    expected: Mapping[str, int] = field(default_factory=dict)
    found: int = 0
    written: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def drop(self, name: str, reason: str) -> None:
        """Records why `name` is not built; the first reason stays."""
        self.dropped.setdefault(name, reason)

    def note(self, name: str, text: str) -> None:
        """Records something odd about `name`, which does not keep it out."""
        self.notes.setdefault(name, text)

    @property
    def different(self) -> dict[str, tuple[int, int]]:
        """Splits whose count is not the published one: (written, expected)."""
        pairs = {name: (self.written.get(name, 0), n) for name, n in self.expected.items()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def complete(self) -> bool:
        """Nothing was dropped, and the counts are the published ones."""
        return not self.dropped and not self.different

    def save(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(self.tree(), indent=1, ensure_ascii=False) + "\n", "utf-8")

    def tree(self) -> dict[str, Any]:
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
            told = "" if expected is None else f" of {expected:,} published"
            lines.append(f"  {name}: {count:,}{told}")
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
