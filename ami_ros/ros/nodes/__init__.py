"""The nodes, one file each: a message becomes plain values, one call into a part, and a message again.

Each has a dataclass of its parameters, and a `main`. A process that becomes a node imports this first.
"""

import atexit
import ctypes
import os
import shutil
import signal
import sys
from pathlib import Path


def end_with_parent() -> None:
    """Ends this process with the one whose id is AMI_PARENT, and at once if that is gone already.

    A node that a launch file started ends with `ros2 launch`, even a killed one: nobody else would stop the robot.
    AMI_PARENT_FOLDER is a temporary folder of the parent. It is removed if the parent was killed: `ros2 launch` does
    not survive the SIGTERM of systemd.
    """
    parent, folder = os.environ.get("AMI_PARENT"), os.environ.get("AMI_PARENT_FOLDER", "")
    if parent is None:
        return
    if parent == str(os.getppid()):  # else a debugger may be between the two
        death_signal = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
        ctypes.CDLL(None).prctl(death_signal, signal.SIGTERM)

    def tidy_up() -> None:
        if folder and str(os.getppid()) != parent:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(tidy_up)
    if not Path("/proc", parent).exists():
        os._exit(0)


if "--ros-args" in sys.argv:
    # This process becomes a node, and imports for seconds before `run` listens to signals. Nothing is under way yet, so
    # a Ctrl-C may end it at once, and cleanly; Python's own would show a traceback, or be lost in an import.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    end_with_parent()
    # NumPy and torch read them when they are imported. A second thread for products as small as ours costs more than it
    # saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
