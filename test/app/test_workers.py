"""Worker processes end with their command, and never lock themselves up."""

from __future__ import annotations

import subprocess
import sys

STARVED = """
from ami_ros.app import workers
hold = "import time; from ami_ros.app import workers\\nwith workers.links['stop']._cond: time.sleep(1.5)"
with workers.worker_pool(1) as pool:
    pool.submit(exec, hold).result(timeout=60.0)
print("went on")
"""
ENDED = """
import os, time
from ami_ros.app import workers
try:
    with workers.worker_pool(1) as pool:
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


def test_a_worker_that_is_starved_while_it_looks_whether_it_is_wanted_goes_on() -> None:
    """A worker of a bench that had a fifth of a core stood for good: its handler interrupted itself."""
    assert said(STARVED)[0] == "went on"


def test_workers_leave_what_they_are_at_when_the_command_ends() -> None:
    assert said(ENDED)[1] == "ended"
