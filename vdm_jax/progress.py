"""How far long work has come: a bar on a terminal, plain lines where output is piped."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS = 30.0
"""Between two plain lines."""


def progress() -> Progress:
    """Bars on standard output, as a context; nothing where it is piped."""
    console = Console(file=sys.stdout)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


@contextmanager
def counted(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """A function to call with how many more are done, which shows so with the time left.

    Where output is piped, a line every half minute, and none of work that is shorter.
    """
    with progress() as bars:
        bar = bars.add_task(title, total=total, completed=done)
        first, started, said = done, time.monotonic(), time.monotonic()

        def advance(more: int) -> None:
            nonlocal done, said
            done, now = done + more, time.monotonic()
            bars.advance(bar, more)
            if bars.disable and now - said >= SECONDS:
                said = now
                left = clock((total - done) * (now - started) / max(done - first, 1))
                print(f"{title} {done}/{total}  {left} left", flush=True)

        yield advance


def clock(seconds: float) -> str:
    """Seconds as `h:mm:ss`, or `?` where unknown."""
    if seconds != seconds or seconds == float("inf"):
        return "?"
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}"
