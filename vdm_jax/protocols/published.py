"""Published results, each with its source and its protocol."""

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

    task: the task, as in `Protocol.task`.
    system: the model's name.
    values: numbers by metric; `fvd_std` is the standard deviation of `fvd` over repeats.
    source: the paper or table with the numbers.
    evidence: "read" in the source, "quoted" there from another paper, or "recalled", not checked.
    protocol: the name of the protocol that measures the same, or "unknown".
    differs: remaining differences from that protocol.
    samples: number of generated clips.
    size: of the clips, in pixels.
    condition: "none", "class", "text" or "frames".
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

    def remark(self, protocol: str) -> str:
        """Whether this result is comparable with results of the `protocol`, in a few words."""
        if self.protocol == "unknown":
            remark = f"protocol unknown{': ' + self.differs if self.differs else ''}"
        elif self.protocol != protocol:
            remark = f"another protocol, {self.protocol}"
        else:
            remark = f"differs: {self.differs}" if self.differs else "same protocol, by its paper"
        return remark if self.evidence == "read" else f"{remark}; {self.evidence}"


@cache
def published_results() -> tuple[PublishedResult, ...]:
    """Every published result, by task, in the order of the papers' tables."""
    text = resources.files("vdm_jax.protocols").joinpath("published.toml").read_text("utf-8")
    return tuple(
        PublishedResult(
            task=table["task"],
            values={name: float(v) for name, v in row.items() if name not in FACTS},
            **{name: value for name, value in row.items() if name in FACTS},
        )
        for table in tomllib.loads(text)["table"]
        for row in table["rows"]
    )
