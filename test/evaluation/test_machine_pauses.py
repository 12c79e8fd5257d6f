"""Moments at which a processor was away are told, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ami_ros.evaluation.machine_pauses import MachinePauses, union
from harness.waiting import wait_until


def test_what_stops_a_watch_is_told_as_a_pause() -> None:
    with MachinePauses() as machine:
        watch = machine._watches[0]
        before = time.monotonic()
        os.kill(watch.pid, signal.SIGSTOP)
        wait_until(lambda: time.monotonic() - before > 0.3, what="a moment")
        after = time.monotonic()
        os.kill(watch.pid, signal.SIGCONT)
    assert machine.longest > 0.25
    assert machine.within((before, after)) > 0.25
    assert machine.within((before - 20.0, before - 10.0)) == 0.0


def test_no_watch_is_left_behind_whatever_happens() -> None:
    with pytest.raises(ValueError, match="over"), MachinePauses() as machine:
        raise ValueError("over")
    assert all(watch.poll() is not None for watch in machine._watches)


def test_pauses_of_several_processors_at_once_count_once() -> None:
    assert union([(5.0, 6.0), (1.0, 2.0), (1.5, 3.0), (5.5, 5.7)]) == [(1.0, 3.0), (5.0, 6.0)]
    machine = MachinePauses(pauses=[(1.0, 3.0), (5.0, 6.0)])
    assert machine.within((2.5, 5.25)) == pytest.approx(0.75)
    assert machine.longest == 2.0
