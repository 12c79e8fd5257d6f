"""Signals wait for a moment at which nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from ami_ros.core.signals import SIGNALS, HeldSignals


@pytest.fixture(autouse=True)
def _handlers_of_a_command_line() -> Iterator[None]:
    """As at the start of a program; the tests' own are given back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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


def test_first_signal_interrupts_at_once_where_it_may_and_later_ones_are_ignored() -> None:
    cleaned = False
    with HeldSignals().held(at_once=True), pytest.raises(KeyboardInterrupt):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True
    assert cleaned


def test_a_second_signal_does_not_wait_where_it_insists() -> None:
    signals = HeldSignals()
    with signals.held(insists=True):
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.came == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_termination_ends_with_the_code_of_its_signal() -> None:
    with HeldSignals().held(at_once=True), pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM


def test_nothing_acts_any_more_once_signals_are_ignored() -> None:
    signals = HeldSignals()
    with signals.held(at_once=True):
        signals.ignore()
        os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_signal_does_not_swallow_the_next() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with HeldSignals().held(at_once=True), pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
