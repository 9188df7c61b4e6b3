"""What a run says while it runs: JSON lines, TensorBoard, and a line or a bar on the terminal."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from etils import epath
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vdm_jax import storage
from vdm_jax.progress import clock


def flatten(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a nested record by their dotted names."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


class Lines:
    """A JSON-lines file of records with a `step`, kept consistent when a run goes back a step."""

    def __init__(self, path: epath.Path, step: int):
        """Drops the records after `step`: a run that resumes there will write them again."""
        self.path = path
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _step(line) <= step]
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text("".join(line + "\n" for line in kept))
            partial.replace(path)

    def read(self) -> list[dict[str, Any]]:
        """All records."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record as one line."""
        storage.append(self.path, json.dumps(record) + "\n")


def board(folder: str, step: int):
    """TensorBoard's log in a folder, where what is there of `step` and later is left out.

    Its library imports torch wherever that is installed, to log tensors of it, which takes as long
    as all else that a run imports: here it does not find it.
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
    """The log of one run in its folder, from `step` on.

    metrics.jsonl, evaluations.jsonl: a record a line. tensorboard/: the same numbers. A quiet log
    prints nothing.
    """

    def __init__(self, workdir: epath.Path, step: int, steps: int, quiet: bool = False):
        workdir.mkdir(parents=True, exist_ok=True)
        self.metrics_file = Lines(workdir / "metrics.jsonl", step)
        self.evaluations_file = Lines(workdir / "evaluations.jsonl", step)
        self.board = board(str(workdir / "tensorboard"), step + 1)
        self.console = Console(file=sys.stdout, soft_wrap=True, quiet=quiet)
        self.steps, self.first, self.started = steps, step, time.monotonic()
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
        """Steps are timed from here: compilation is over."""
        self.first, self.started = step, time.monotonic()

    def metrics(self, step: int, record: Mapping[str, Any]) -> None:
        """Records the metrics of a step and shows the progress."""
        speed = (step - self.first) / max(time.monotonic() - self.started, 1e-9)
        record = {"step": step, **record, "steps_per_second": round(speed, 4)}
        self.metrics_file.append(record)
        self._tensorboard(step, record)
        left = (self.steps - step) / speed if speed else float("nan")
        loss = record.get("loss", float("nan"))
        note = f"loss {loss:.4f}  {speed:.2f} steps/s"
        if self.bar is None:
            self.say(f"step {step}/{self.steps}  {note}  {clock(left)} left")
        else:
            self.bar.update(self.task, completed=step, note=note)

    def evaluation(self, step: int, results: Mapping[str, Any]) -> None:
        """Records the results of the evaluations at a step and prints them."""
        self.evaluations_file.append({"step": step, **results})
        self._tensorboard(step, results)
        for name, value in flatten(results):
            self.say(f"  {name:<32} {value:.4g}")

    def evaluated(self, step: int) -> set[str]:
        """The names of the evaluations already recorded at a step."""
        records = self.evaluations_file.read()
        return {name for r in records if r["step"] == step for name in r if name != "step"}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The bar stands still while something else uses the terminal."""
        if self.bar is not None:
            self.bar.stop()
        yield
        if self.bar is not None:
            self.bar.start()

    def say(self, text: str) -> None:
        """Prints a line, above the progress bar where there is one."""
        self.console.print(text, highlight=False, markup=False)

    def _tensorboard(self, step: int, record: Mapping[str, Any]) -> None:
        for name, value in flatten(record):
            if name != "step":
                self.board.add_scalar(name.replace(".", "/"), value, step)

    def close(self) -> None:
        """Stops the bar and flushes the files."""
        if self.bar is not None:
            self.bar.stop()
        self.board.close()
