"""A protocol: everything that a number depends on besides the samples."""

from dataclasses import dataclass, is_dataclass, replace
from typing import Any

from vdm_jax import config
from vdm_jax.metrics.fingerprint import fingerprint
from vdm_jax.protocols.generated import Generated
from vdm_jax.protocols.measures import Measure
from vdm_jax.protocols.real import Real

DESCRIPTIVE = ("name", "task", "summary", "source", "assumed")
"""Fields of a protocol that no number depends on."""


@dataclass(frozen=True)
class Protocol:
    """An evaluation protocol for samples.

    name: its name.
    task: its task among published results.
    summary: its metrics and counts, in one line.
    source: the paper.
    real: the real clips.
    generated: the samples.
    measures: the metrics.
    repeats: number of sets of samples; results are mean and standard deviation over sets.
    assumed: choices that the paper leaves open, and the choices made here.
    """

    name: str
    task: str
    summary: str
    source: str
    real: Real
    generated: Generated
    measures: tuple[Measure, ...]
    repeats: int = 1
    assumed: str = ""

    @property
    def samples(self) -> int | None:
        """The number of samples over all repeats; None is the number of prompts."""
        count = self.generated.count
        return None if count is None else count * self.repeats

    @property
    def has_reference(self) -> bool:
        """Whether the metrics need real clips."""
        return any(measure.against for measure in self.measures)

    def untrained(self, seed: int = 0) -> "Protocol":
        """The same with random weights in every network, for trying a protocol without files."""
        return _replace(self, seed)


def identity(protocol: Protocol | dict) -> dict[str, Any]:
    """The JSON of a protocol without the fields that no number depends on."""
    tree = config.to_json(protocol) if is_dataclass(protocol) else protocol
    return {name: value for name, value in tree.items() if name not in DESCRIPTIVE}


def protocol_hash(protocol: Protocol | dict) -> str:
    """The fingerprint of `identity`; protocols of different numbers have different ones."""
    return fingerprint(identity(protocol))


def _replace(node: Any, seed: int) -> Any:
    if hasattr(node, "untrained") and not isinstance(node, Protocol):
        return node.untrained(seed)
    if isinstance(node, tuple):
        return tuple(_replace(child, seed) for child in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {name: _replace(getattr(node, name), seed) for name in config.fields(node)}
    return replace(node, **changed)
