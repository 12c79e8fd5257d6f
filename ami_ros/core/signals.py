"""Ctrl-C and its kin: the first one acts when nothing is lost by it, and no later one cuts the clean-up short.

A handler that raises in the middle of rclpy's executor loses the message that was just handled. If that is the answer
to a goal, nobody can cancel the goal any more, and the robot drives on.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HeldSignals:
    """What a signal does is what it did before: it raises KeyboardInterrupt, or ends the process with 128 + its number.

    Attributes:
        came: the first one of those that were held.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Any] = {}  # of before, while signals are held
        self.came: signal.Signals | None = None
        self._acted = self._at_once = self._insists = False

    @contextmanager
    def held(self, at_once: bool = False, insists: bool = False) -> Iterator[None]:
        """Inside, the first signal waits for `act`, or for the end; later ones are ignored. In another thread than the
        main one, which gets no signals, nothing is held.

        Args:
            at_once: the first one waits for nothing.
            insists: a second one acts at once if the first has not acted yet.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.came, self._acted, self._at_once, self._insists = None, False, at_once, insists
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._handlers.items():
            if handler not in (signal.SIG_IGN, None):  # as Ctrl-C is behind nohup; None: it is not Python's
                signal.signal(number, self._hold)
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                if handler is not None:
                    signal.signal(number, handler)
        self.act()

    def act(self) -> None:
        """Lets a signal that came do what it did before it was held."""
        if self.came is None or self._acted:
            return
        self._acted = True
        handler = self._handlers[self.came]
        if not callable(handler):
            sys.exit(128 + self.came)
        handler(self.came, None)

    def ignore(self) -> None:
        """None acts any more, until the end of `held`."""
        self._acted = True

    def _hold(self, number: int, frame: FrameType | None) -> None:
        again, self.came = self.came is not None, self.came or signal.Signals(number)
        if self._at_once or (again and self._insists):
            self.act()
