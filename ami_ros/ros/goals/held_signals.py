"""Signals that wait until a client of the stack can act on them.

A signal's handler that raises in the middle of rclpy's executor loses the message that was just handled. If that is
the answer to a goal, nobody can cancel the goal any more, and the robot drives on.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HeldSignals:
    """Holds the first signal back, and lets it do what it does when it is asked for."""

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, object] = {}  # of before, while signals are held
        self._came: signal.Signals | None = None
        self._acted = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, the first signal waits for `act`, or for the end; later ones are ignored. In another thread than the
        main one, which gets no signals, nothing is held."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._came, self._acted = None, False
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._handlers.items():
            if handler not in (signal.SIG_IGN, None):  # as Ctrl-C is behind nohup; None: it is not Python's
                signal.signal(number, self._hold)
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                if handler is not None:
                    signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal gave
        self.act()

    def act(self) -> None:
        """Lets a signal that came do what it did before it was held: raise KeyboardInterrupt, or end the process."""
        if self._came is None or self._acted:
            return
        self._acted = True
        handler = self._handlers[self._came]
        if callable(handler):
            handler(self._came, None)
        else:
            signal.signal(self._came, signal.SIG_DFL)
            os.kill(os.getpid(), self._came)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        self._came = self._came or signal.Signals(number)
