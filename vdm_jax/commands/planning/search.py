"""The search for settings: compile steps one after another, for the nearest fit or the fastest."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vdm_jax import config, parallel, training
from vdm_jax.commands.planning import candidates
from vdm_jax.metrics import fingerprint
from vdm_jax.parallel.chips import GIB
from vdm_jax.storage import atomic_file

SPARE = 0.1
"""The fraction of the memory that a recommended setting leaves free."""
TRIES = 3
"""The most steps compiled in search of one that fits."""
SEARCHES = {
    "data parallelism": candidates.data_parallel_candidates,
    "model parallelism": candidates.model_parallel_candidates,
    "batch and remat": candidates.batch_and_remat_candidates,
}


class Attempts:
    """Estimates of an experiment's step with other settings, each compiled once.

    file: where every estimate is stored at once; estimates in it are used again if they are of the
      same experiment, topology and compiler.
    """

    def __init__(
        self,
        experiment: training.Experiment,
        topology: parallel.Topology,
        compiler: Mapping[str, str | None],
        file: Path | None = None,
    ):
        self.experiment, self.topology, self.file = experiment, topology, file
        self.memory = (1 - SPARE) * topology.chip.memory
        self.fingerprint = fingerprint([config.to_json(experiment), str(topology), compiler])
        self.rows: list[dict[str, Any]] = _read_rows(file, self.fingerprint) if file else []

    def __call__(self, settings: Sequence[str]) -> dict[str, Any]:
        """The estimate of the step with these settings."""
        for row in self.rows:
            if row["settings"] == list(settings):
                return row
        changed = config.override(self.experiment, *settings)
        mesh = self.topology.build(changed.mesh)
        program = training.abstract_step(changed, mesh)
        step = parallel.estimate(*program, mesh, self.topology.chip)
        rate = step.step_seconds and changed.loader.batch / step.step_seconds
        names = ("fits", "hbm_bytes", "step_seconds", "mfu")
        row = {"settings": list(settings), "rows_per_second": rate}
        row |= {name: getattr(step, name) for name in names}
        self.rows.append(row)
        if self.file is not None:
            write_json(self.file, self.record())
        return row

    def record(self) -> dict[str, Any]:
        """All estimates, and the fingerprint of what they are of."""
        return {"of": self.fingerprint, "sweep": self.rows}


def write_json(file: Path, facts: Mapping[str, Any]) -> None:
    """Replaces a JSON file atomically."""
    with atomic_file(file) as partial:
        partial.write_text(json.dumps(facts, indent=2) + "\n")


def _read_rows(file: Path, of: str) -> list[dict[str, Any]]:
    """The estimates in a file, if its fingerprint is `of`."""
    try:
        record = json.loads(file.read_text())
        return record["sweep"] if record["of"] == of else []
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return []  # no file, or one with other contents, which is replaced as without a sweep


def nearest_fit(attempt: Attempts, needed: float) -> Mapping[str, Any] | None:
    """The estimate of the nearest setting that fits, for a step that needs `needed` bytes."""
    tries = candidates.smaller_candidates(
        attempt.experiment, attempt.topology, needed, attempt.memory
    )
    for settings, _ in zip(tries, range(TRIES), strict=False):
        row = attempt(settings)
        if row["fits"]:
            return row
    return None


def fastest(attempt: Attempts) -> list[str]:
    """The settings with the most clips per second that leave `SPARE` of the memory free.

    First the sharding of the state; with the best one, the number of devices that share a clip;
    with the best of those, batch, accumulation and rematerialization. Prints every attempt.
    """
    best: dict[str, Any] = {"settings": [], "rows_per_second": 0.0}
    for title, search in SEARCHES.items():
        base = best["settings"]
        tries = search(config.override(attempt.experiment, *base), attempt.topology)
        for i, settings in enumerate(tries, 1):
            row = attempt(merge(base, settings))
            print(f"  {title} {i}/{len(tries)} {row_text(row)}", file=sys.stderr, flush=True)
            if row["fits"] and row["hbm_bytes"] <= attempt.memory:
                best = max(best, row, key=lambda row: row["rows_per_second"])
    if not best["settings"]:
        raise config.ConfigError(
            f"none of {len(attempt.rows)} settings fits {attempt.topology} with {SPARE:.0%} to "
            "spare: take a larger grid, or --set a smaller loader.batch"
        )
    return best["settings"]


def merge(first: Sequence[str], then: Sequence[str]) -> list[str]:
    """Both lists of assignments; for a field in both, the second."""
    return list({pair.partition("=")[0]: pair for pair in (*first, *then)}.values())


def row_text(row: Mapping[str, Any]) -> str:
    """An estimate in a line."""
    settings = " ".join(row["settings"])
    if not row["fits"]:
        return f"{row['hbm_bytes'] / GIB:7.2f} GiB  does not fit                      {settings}"
    return (
        f"{row['hbm_bytes'] / GIB:7.2f} GiB  {row['step_seconds']:9.4f} s  "
        f"{row['rows_per_second']:9.1f} clips/s  {row['mfu']:4.0%}  {settings}"
    )
