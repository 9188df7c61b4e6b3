"""The log of a run: JSON lines, TensorBoard, and a line or a progress bar on the terminal."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etils import epath
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vdm_jax import storage
from vdm_jax.interfaces import Results
from vdm_jax.progress import clock
from vdm_jax.types import Metrics

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter


def flatten(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a nested record by their dotted names."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


class JsonLines:
    """A JSON-lines file of records with a `step`, truncated when a run resumes."""

    def __init__(self, path: epath.Path, step: int):
        """Drops the records after `step`: a run that resumes there writes them again."""
        self.path = path
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if _step(line) <= step]
            with storage.atomic_file(path) as partial:
                partial.write_text("".join(line + "\n" for line in lines))

    def read(self) -> list[dict[str, Any]]:
        """All records."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record as one line."""
        storage.append(self.path, json.dumps(record) + "\n")


def tensorboard_writer(folder: str, step: int) -> "SummaryWriter":
    """TensorBoard's log in a folder, without the records of `step` and later.

    tensorboardX imports an installed torch, which doubles a run's import time; torch is hidden
    from it.
    """
    modules: dict[str, Any] = sys.modules
    hidden = modules.setdefault("torch", None) is None
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hidden:
            del modules["torch"]
    return SummaryWriter(folder, purge_step=step)


def _step(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError):
        return float("inf")  # a line cut short by a crash


class Log:
    """The log of a run in its folder, from `step` on.

    metrics.jsonl, evaluations.jsonl: one record per line. tensorboard/: the same numbers. A quiet
    log prints nothing.
    """

    def __init__(self, workdir: epath.Path, step: int, steps: int, quiet: bool = False):
        workdir.mkdir(parents=True, exist_ok=True)
        self.metrics_file = JsonLines(workdir / "metrics.jsonl", step)
        self.evaluations_file = JsonLines(workdir / "evaluations.jsonl", step)
        self.tensorboard = tensorboard_writer(str(workdir / "tensorboard"), step + 1)
        self.console = Console(file=sys.stdout, soft_wrap=True, quiet=quiet)
        self.steps, self.first, self.start_time = steps, step, time.monotonic()
        self.bar = None
        if self.console.is_terminal and not quiet:
            self.bar = Progress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=self.console,
                refresh_per_second=4,
            )
            self.task = self.bar.add_task("training", total=steps, completed=step, note="compiling")
            self.bar.start()

    def start_clock(self, step: int) -> None:
        """Starts to time steps, after compilation."""
        self.first, self.start_time = step, time.monotonic()

    def log_metrics(self, step: int, record: Metrics) -> None:
        """Records the metrics of a step and shows the progress."""
        speed = (step - self.first) / max(time.monotonic() - self.start_time, 1e-9)
        record = {"step": step, **record, "steps_per_second": round(speed, 4)}
        self.metrics_file.append(record)
        self._log_tensorboard(step, record)
        left = (self.steps - step) / speed if speed else float("nan")
        loss = record.get("loss", float("nan"))
        note = f"loss {loss:.4f}  {speed:.2f} steps/s"
        if self.bar is None:
            self.print(f"step {step}/{self.steps}  {note}  {clock(left)} left")
        else:
            self.bar.update(self.task, completed=step, note=note)

    def log_evaluation(self, step: int, results: Results) -> None:
        """Records the results of evaluations at a step and prints them."""
        self.evaluations_file.append({"step": step, **results})
        self._log_tensorboard(step, results)
        for name, value in flatten(results):
            self.print(f"  {name:<32} {value:.4g}")

    def logged_evaluations(self, step: int) -> set[str]:
        """The names of the evaluations with results at a step."""
        records = self.evaluations_file.read()
        return {name for r in records if r["step"] == step for name in r if name != "step"}

    @contextmanager
    def pause_bar(self) -> Iterator[None]:
        """Stops the progress bar while something else uses the terminal."""
        if self.bar is not None:
            self.bar.stop()
        yield
        if self.bar is not None:
            self.bar.start()

    def print(self, text: str) -> None:
        """Prints a line, above the progress bar if there is one."""
        self.console.print(text, highlight=False, markup=False)

    def _log_tensorboard(self, step: int, record: Mapping[str, Any]) -> None:
        for name, value in flatten(record):
            if name != "step":
                self.tensorboard.add_scalar(name.replace(".", "/"), value, step)

    def close(self) -> None:
        """Stops the bar and flushes the files."""
        if self.bar is not None:
            self.bar.stop()
        self.tensorboard.close()
