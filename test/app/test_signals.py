import os
import signal
from collections.abc import Iterator

import pytest

from ami_ros.app.signals import SIGNALS, only_first_signal


@pytest.fixture(autouse=True)
def _handlers_of_a_command_line() -> Iterator[None]:
    """As at the start of a program; the tests' own are given back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_first_signal_interrupts_and_later_ones_are_ignored() -> None:
    cleaned = False
    with only_first_signal(), pytest.raises(KeyboardInterrupt):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True
    assert cleaned


def test_termination_ends_with_the_code_of_its_signal() -> None:
    with only_first_signal(), pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with only_first_signal():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_does_not_swallow_the_next() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with only_first_signal(), pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
