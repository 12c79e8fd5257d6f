"""Signals wait for a moment at which nothing is lost."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from ami_ros.ros.goals.held_signals import HeldSignals


def test_ctrl_c_waits_until_it_is_asked_for() -> None:
    signals, passed = HeldSignals(), []
    with pytest.raises(KeyboardInterrupt), signals.held():
        os.kill(os.getpid(), signal.SIGINT)
        passed.append("it came")
        signals.act()
        passed.append("nothing raised")
    assert passed == ["it came"]


def test_a_signal_that_nobody_asked_for_acts_at_the_end() -> None:
    passed = []
    with pytest.raises(KeyboardInterrupt):
        with HeldSignals().held():
            os.kill(os.getpid(), signal.SIGINT)
            passed.append("all done")
        passed.append("nothing raised")
    assert passed == ["all done"]


def test_while_the_first_is_acted_upon_later_ones_are_ignored() -> None:
    signals = HeldSignals()
    before = signal.getsignal(signal.SIGINT)
    with signals.held():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signals.act()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        signals.act()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with HeldSignals().held():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_holds_nothing() -> None:
    handlers = []

    def look() -> None:
        with HeldSignals().held():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]
