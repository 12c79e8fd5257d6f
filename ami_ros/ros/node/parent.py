"""A node that a launch file started ends with `ros2 launch`, even a killed one: nobody else would stop the robot."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

PARENT = "AMI_PARENT"  # environment variable: process id of what started this process, and has to outlive it
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with_parent() -> None:
    """Has Linux send SIGTERM to this process when its parent ends, if that is the one that AMI_PARENT names; ends this
    process if that one is gone already."""
    named = os.environ.get(PARENT)
    if named is None:
        return
    if named == str(os.getppid()):  # else a debugger may be between the two
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if not Path("/proc", named).exists():
        os._exit(0)
