"""Progress of long loops: a bar on a terminal, plain lines where output is piped."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def progress_bar(
    title: str, total: int, done: int = 0, *, lines: bool = True
) -> Iterator[Callable[[int], None]]:
    """A function `advance(n)` that adds `n` to the bar `done`/`total` and updates the time left.

    lines: where output is piped, print a line every `SECONDS_BETWEEN_LINES`; False prints nothing.
    """
    console = Console(file=sys.stdout)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        bar = bars.add_task(title, total=total, completed=done)
        first, started, printed = done, time.monotonic(), time.monotonic()

        def advance(count: int) -> None:
            nonlocal done, printed
            done, now = done + count, time.monotonic()
            bars.advance(bar, count)
            if bars.disable and lines and now - printed >= SECONDS_BETWEEN_LINES:
                printed = now
                left = clock((total - done) * (now - started) / max(done - first, 1))
                print(f"{title} {done}/{total}  {left} left", flush=True)

        yield advance


def clock(seconds: float) -> str:
    """Seconds as `h:mm:ss`; `?` for nan and infinity."""
    if seconds != seconds or seconds == float("inf"):
        return "?"
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}"
