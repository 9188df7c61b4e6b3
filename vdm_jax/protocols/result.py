"""Results of evaluations by a protocol, stored as JSON with everything that they depend on."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
from etils import epath

import vdm_jax
from vdm_jax.config import upgrade
from vdm_jax.storage import atomic_file

FORMAT = 1

Value = Mapping[str, Any]
"""One metric: `value`, and if known its interval `low`, `high` and its `std`."""


@dataclass(frozen=True)
class Result:
    """The result of one system by one protocol.

    system: the name of the evaluated model.
    protocol: as JSON.
    protocol_hash: hash of the fields that numbers depend on.
    values: by metric.
    reference_hash: hash of the names and sizes of the real clips; None without real clips.
    changed: fields in which the protocol differs from the named one.
    weights: by features' name: the file and its hash, or random.
    counts: numbers of clips.
    warnings: deviations from the protocol.
    inputs: paths of samples and real clips.
    versions: of the software.
    """

    system: str
    protocol: Mapping[str, Any]
    protocol_hash: str
    values: Mapping[str, Value]
    reference_hash: str | None = None
    changed: Sequence[str] = field(default_factory=list)
    weights: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[str] = field(default_factory=list)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=lambda: versions())

    @property
    def name(self) -> str:
        """The protocol's name."""
        return str(self.protocol["name"])

    @property
    def random_weights(self) -> bool:
        """Whether any network had random weights, so that the numbers mean nothing."""
        return any(record.get("random_weights") for record in self.weights.values())

    def write(self, path: str | os.PathLike) -> None:
        """Writes a JSON file atomically."""
        epath.Path(path).parent.mkdir(parents=True, exist_ok=True)
        record = {"format": FORMAT, "random_weights": self.random_weights, **vars(self)}
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_result(path: str | os.PathLike) -> Result:
    """The result in a file; old names of classes and fields in its protocol are replaced.

    The hashes in the file stay valid, because `fingerprint` does not depend on renamed names.

    Raises:
      ValueError: the file was not written by `Result.write`.
    """
    try:
        record = json.loads(epath.Path(path).read_text("utf-8"))
        if record.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        record.pop("random_weights")
        record["protocol"] = upgrade(record["protocol"])
        return Result(**record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a result of `vdm-jax evaluate` ({type(error).__name__}: {error})"
        ) from error


def versions() -> dict[str, str]:
    """The versions of the software and the kind of device."""
    return {
        "vdm_jax": vdm_jax.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
    }
