"""A result: numbers with everything that they depend on, as a JSON file."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
from etils import epath

import vdm_jax
from vdm_jax.checkpoints import atomic_file

FORMAT = 1

Value = Mapping[str, Any]
"""One metric: `value`, and where they are known `low` and `high` (its interval) and `std`."""


@dataclass(frozen=True)
class Result:
    """What was measured of one system.

    system: whose samples. protocol: as JSON; protocol_hash: of what numbers depend on in it.
    changed: in which fields it is not what its name says. reference_hash: of the real clips that
    were used, by name and size, None without any. weights: of each network by its features' name:
    which file and its hash, or random. counts: of clips. inputs: where samples and real clips were.
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
        """What the protocol is called."""
        return str(self.protocol["name"])

    @property
    def random_weights(self) -> bool:
        """Whether the numbers say nothing, for a network had random weights."""
        return any(told.get("random_weights") for told in self.weights.values())

    def write(self, path: str | os.PathLike) -> None:
        """As a JSON file, whole or not at all."""
        epath.Path(path).parent.mkdir(parents=True, exist_ok=True)
        told = {"format": FORMAT, "random_weights": self.random_weights, **vars(self)}
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_result(path: str | os.PathLike) -> Result:
    """The result in a file.

    Raises:
      ValueError: it is no file that `Result.write` wrote.
    """
    try:
        told = json.loads(epath.Path(path).read_text("utf-8"))
        if told.pop("format") != FORMAT:
            raise ValueError(f"it has another format than {FORMAT}")
        told.pop("random_weights")
        return Result(**told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is no result of `vdm-jax evaluate` ({type(error).__name__}: {error})"
        ) from error


def versions() -> dict[str, str]:
    """Of what computed a result."""
    return {
        "vdm_jax": vdm_jax.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
    }
