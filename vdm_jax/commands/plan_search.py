"""Steps with other settings, compiled one after another: the nearest that fits, and the fastest."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vdm_jax import config, parallel, training
from vdm_jax.checkpoints import atomic_file
from vdm_jax.commands import planning
from vdm_jax.evaluation import fingerprint
from vdm_jax.parallel.chips import GIB

SPARE = 0.1  # of the memory, to be left free
TRIES = 3  # programs compiled in search of one that fits


class Attempts:
    """Settings of an experiment, and what its step needs and takes with them.

    With a file all that was found is in it after each attempt, and what is in it already, of the
    same experiment, topology and compiler, is not compiled again.
    """

    def __init__(
        self,
        experiment: training.Experiment,
        topology: parallel.Topology,
        compiler: Mapping[str, str | None],
        file: Path | None = None,
    ):
        self.experiment, self.topology, self.file = experiment, topology, file
        self.room = (1 - SPARE) * topology.chip.memory
        self.of = fingerprint([config.to_json(experiment), str(topology), compiler])
        self.rows: list[dict[str, Any]] = _rows(file, self.of) if file else []

    def __call__(self, settings: Sequence[str]) -> dict[str, Any]:
        for row in self.rows:
            if row["settings"] == list(settings):
                return row
        changed = config.override(self.experiment, *settings)
        mesh = self.topology.build(changed.mesh)
        program = planning.training_step(changed, mesh)
        step = parallel.estimate(*program, mesh, self.topology.chip)
        rate = step.step_seconds and changed.loader.batch / step.step_seconds
        names = ("fits", "hbm_bytes", "step_seconds", "mfu")
        found = {"settings": list(settings), "rows_per_second": rate}
        found |= {name: getattr(step, name) for name in names}
        self.rows.append(found)
        if self.file is not None:
            write(self.file, self.record())
        return found

    def record(self) -> dict[str, Any]:
        """What was found, and a fingerprint of whose it is."""
        return {"of": self.of, "sweep": self.rows}


def write(file: Path, facts: Mapping[str, Any]) -> None:
    """A file of JSON, whole or not at all: what it said before stays if writing is stopped."""
    with atomic_file(file) as partial:
        partial.write_text(json.dumps(facts, indent=2) + "\n")


def _rows(file: Path, of: str) -> list[dict[str, Any]]:
    """What a file says of the same experiment, topology and compiler."""
    try:
        told = json.loads(file.read_text())
        return told["sweep"] if told["of"] == of else []
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return []  # no file, or one of other things, which will be replaced as without a sweep


def nearest(attempt: Attempts, needed: float) -> Mapping[str, Any] | None:
    """The nearest setting with which the step has been found to fit, and what it needs."""
    tries = planning.candidates(attempt.experiment, attempt.topology, needed, attempt.room)
    for settings, _ in zip(tries, range(TRIES), strict=False):
        found = attempt(settings)
        if found["fits"]:
            return found
    return None


def fastest(attempt: Attempts) -> list[str]:
    """The settings of most rows a second that leave memory to spare, printing all it tries.

    How the state is split; with the best of it, how many devices share a row; with the best of
    that, how the work is cut and what is computed again.
    """
    best: dict[str, Any] = {"settings": [], "rows_per_second": 0.0}
    for stage in (planning.splits, planning.shares, planning.works):
        base = best["settings"]
        tries = stage(config.override(attempt.experiment, *base), attempt.topology)
        for i, settings in enumerate(tries, 1):
            found = attempt(together(base, settings))
            print(f"  {stage.__name__} {i}/{len(tries)} {said(found)}", file=sys.stderr, flush=True)
            if found["fits"] and found["hbm_bytes"] <= attempt.room:
                best = max(best, found, key=lambda row: row["rows_per_second"])
    if not best["settings"]:
        raise config.ConfigError(
            f"of {len(attempt.rows)} settings none fits {attempt.topology} with {SPARE:.0%} to "
            "spare: take a larger grid, or --set a smaller loader.batch"
        )
    return best["settings"]


def together(first: Sequence[str], then: Sequence[str]) -> list[str]:
    """Both assignments, of each field the last."""
    return list({pair.partition("=")[0]: pair for pair in (*first, *then)}.values())


def said(row: Mapping[str, Any]) -> str:
    """A setting in a line."""
    how = " ".join(row["settings"])
    if not row["fits"]:
        return f"{row['hbm_bytes'] / GIB:7.2f} GiB  does not fit                     {how}"
    return (
        f"{row['hbm_bytes'] / GIB:7.2f} GiB  {row['step_seconds']:9.4f} s  "
        f"{row['rows_per_second']:9.1f} rows/s  {row['mfu']:4.0%}  {how}"
    )
