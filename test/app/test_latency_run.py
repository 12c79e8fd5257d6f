"""What keeps the processors busy for `ami bench latency` is there meanwhile, and gone afterwards."""

from __future__ import annotations

import os

import psutil
import pytest

from ami_ros.app.latency_run import BUSY, busy
from harness.waiting import wait_until


def burners() -> list[psutil.Process]:
    return [c for c in psutil.Process(os.getpid()).children() if BUSY in c.cmdline()]


def test_other_programs_end_whatever_happens() -> None:
    with pytest.raises(ValueError, match="over"), busy(2):
        wait_until(lambda: len(burners()) == 2, what="two programs: one that was forked this moment has no name yet")
        raise ValueError("over")
    assert not burners()


def test_without_load_there_are_none() -> None:
    with busy(0):
        assert not burners()
