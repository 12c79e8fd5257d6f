"""Worker processes end with their command, and never lock themselves up."""

from __future__ import annotations

import subprocess
import sys

KILLED = """
import os, signal
from ami_ros.core import processes
try:
    with processes.worker_pool(1) as pool:
        os.kill(pool.submit(os.getpid).result(timeout=60.0), signal.SIGKILL)
        raise KeyboardInterrupt
except KeyboardInterrupt:
    print("ended")
"""
ENDED = """
import os, time
from ami_ros.core import processes
try:
    with processes.worker_pool(1) as pool:
        print(pool.submit(os.getpid).result(timeout=60.0), flush=True)
        pool.submit(time.sleep, 600.0)
        raise KeyboardInterrupt
except KeyboardInterrupt:
    print("ended")
"""


def said(script: str) -> list[str]:
    """The lines that it prints, on the way to its end."""
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=120)
    return run.stdout.split("\n")


def test_a_command_ends_though_its_workers_were_killed_first() -> None:
    """As by `timeout`, which ends all processes of a command at once: a bench waited for its dead worker for good."""
    assert said(KILLED)[0] == "ended"


def test_workers_leave_what_they_are_at_when_the_command_ends() -> None:
    assert said(ENDED)[1] == "ended"
