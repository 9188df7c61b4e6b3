"""Stopping when asked to, between two steps."""

import signal
from types import FrameType


class GracefulStop:
    """While open, SIGTERM and SIGINT set `signum` instead of ending the process.

    A second SIGINT is a `KeyboardInterrupt`, for who cannot wait.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self):
        self.signum: int | None = None

    def __enter__(self) -> "GracefulStop":
        self._before = {s: signal.signal(s, self._caught) for s in self.SIGNALS}
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.signum is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signum = number
