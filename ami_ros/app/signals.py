"""Ctrl-C and its kin, so that a clean-up is never cut short."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def only_first_signal() -> Iterator[None]:
    """Inside, the first SIGINT, SIGTERM or SIGHUP does what it did before; later ones are ignored.

    A signal that was ignored before, as Ctrl-C is behind nohup, stays so and does not count as the first.
    """
    previous = {number: signal.getsignal(number) for number in SIGNALS}

    def first(number: int, frame: FrameType | None) -> None:
        ignore_signals()
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            sys.exit(128 + number)

    for number, handler in previous.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """From now on, until the end of `only_first_signal`."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
