"""Stopping a run between two steps."""

import signal
from types import FrameType


class GracefulStop:
    """A context in which SIGTERM and SIGINT set `signum` instead of ending the process.

    A second SIGINT raises `KeyboardInterrupt` at once.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self):
        self.signum: int | None = None

    def __enter__(self) -> "GracefulStop":
        self._previous = {s: signal.signal(s, self._handle) for s in self.SIGNALS}
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signum is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signum = number
