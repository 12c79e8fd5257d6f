"""A node that a launch file started ends with `ros2 launch`, even a killed one: nobody else would stop the robot."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import signal
from pathlib import Path

PARENT = "AMI_PARENT"  # environment variable: process id of what started this process, and has to outlive it
FOLDER = "AMI_PARENT_FOLDER"  # environment variable: temporary folder of the same, which is of no use without it
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with_parent() -> None:
    """Has Linux send SIGTERM to this process when its parent ends, if that is the one that AMI_PARENT names; ends this
    process if that one is gone already."""
    named = os.environ.get(PARENT)
    if named is None:
        return
    if named == str(os.getppid()):  # else a debugger may be between the two
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    atexit.register(_tidy_up, named, os.environ.get(FOLDER, ""))
    if not Path("/proc", named).exists():
        os._exit(0)


def _tidy_up(parent: str, folder: str) -> None:
    """Removes the folder of a parent that was killed: `ros2 launch` does not survive the SIGTERM of systemd."""
    if folder and str(os.getppid()) != parent:
        shutil.rmtree(folder, ignore_errors=True)
