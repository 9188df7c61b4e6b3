"""Results as papers print them, each with where it was found and which protocol it is of."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

EVIDENCE = ("read", "quoted", "recalled")
FACTS = ("system", "source", "evidence", "protocol", "differs", "samples", "size", "condition")


@dataclass(frozen=True)
class PublishedResult:
    """One row of a paper's table.

    values: by metric; `fvd_std` is the deviation of `fvd` over repeats. protocol: the name of the
    one that measures the same, or "unknown"; differs: what is different from it all the same.
    evidence: "read" at its `source`, "quoted" there from another, or "recalled", not checked.
    """

    task: str
    system: str
    values: Mapping[str, float]
    source: str
    evidence: str
    protocol: str
    differs: str = ""
    samples: int | None = None
    size: int | None = None
    condition: str = ""

    def mark(self, protocol: str) -> str:
        """In how far this number is of the `protocol` of that name, in a few words."""
        if self.protocol == "unknown":
            told = f"protocol unknown{': ' + self.differs if self.differs else ''}"
        elif self.protocol != protocol:
            told = f"another protocol, {self.protocol}"
        else:
            told = f"differs: {self.differs}" if self.differs else "same protocol, by its paper"
        return told if self.evidence == "read" else f"{told}; {self.evidence}"


@cache
def published_results() -> tuple[PublishedResult, ...]:
    """Every row, by task in the order of the papers' tables."""
    text = resources.files("vdm_jax.evaluation").joinpath("published.toml").read_text("utf-8")
    return tuple(
        PublishedResult(
            task=table["task"],
            values={name: float(v) for name, v in row.items() if name not in FACTS},
            **{name: value for name, value in row.items() if name in FACTS},
        )
        for table in tomllib.loads(text)["table"]
        for row in table["rows"]
    )
