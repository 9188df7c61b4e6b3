"""A protocol: everything that a number depends on besides the samples, as one frozen object."""

from dataclasses import dataclass, is_dataclass, replace
from typing import Any

from vdm_jax import config
from vdm_jax.evaluation.protocols.generated import Generated
from vdm_jax.evaluation.protocols.measures import Measure
from vdm_jax.evaluation.protocols.real import Real
from vdm_jax.evaluation.statistics import fingerprint

TOLD = ("name", "task", "says", "source", "assumed")
"""Fields that describe a protocol and change no number."""


@dataclass(frozen=True)
class Protocol:
    """How samples are measured: which, against which real clips, through what, how often.

    name: what it is called by. task: under which it stands among published results. says: in one
      line, what it measures. source: whose it is. assumed: what its source leaves open, and how it
      is answered here.
    repeats: how often the samples are drawn anew; results are the mean and the deviation.
    """

    name: str
    task: str
    says: str
    source: str
    real: Real
    generated: Generated
    measures: tuple[Measure, ...]
    repeats: int = 1
    assumed: str = ""

    @property
    def samples(self) -> int | None:
        """How many samples in all, None where the captions decide."""
        count = self.generated.count
        return None if count is None else count * self.repeats

    @property
    def compared(self) -> bool:
        """Whether real clips are needed to measure samples."""
        return any(measure.against for measure in self.measures)

    def untrained(self, seed: int = 0) -> "Protocol":
        """The same with random weights in every network: to try what would be done."""
        return _replaced(self, seed)


def identity(protocol: Protocol | dict) -> dict[str, Any]:
    """All of a protocol (or its JSON) that numbers depend on, as JSON."""
    tree = config.to_json(protocol) if is_dataclass(protocol) else protocol
    return {name: value for name, value in tree.items() if name not in TOLD}


def protocol_hash(protocol: Protocol | dict) -> str:
    """A few digits that differ where protocols do."""
    return fingerprint(identity(protocol))


def _replaced(node: Any, seed: int) -> Any:
    if hasattr(node, "untrained") and not isinstance(node, Protocol):
        return node.untrained(seed)
    if isinstance(node, tuple):
        return tuple(_replaced(child, seed) for child in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {name: _replaced(getattr(node, name), seed) for name in config.fields(node)}
    return replace(node, **changed)
