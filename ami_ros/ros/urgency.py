"""Scheduling priority for the control loop, so that other programs do not delay it."""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from pathlib import Path

URGENT = -5  # niceness of what stands between an image and a command
AUTOGROUP = Path("/proc/self/autogroup")  # Linux weighs sessions against each other, and processes only within one


def be_urgent(niceness: int) -> bool:
    """Raises the priority of this thread and of those that it starts from now on.

    Args:
        niceness: -20 (most urgent) to 19; 0 asks for nothing.

    Returns:
        Whether it was granted; below 0 that takes root or CAP_SYS_NICE.
    """
    if niceness == 0:
        return True
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except PermissionError:
        return False
    with suppress(OSError):  # a kernel without sessions of processes, or one that is asked too often
        AUTOGROUP.write_text(f"{niceness}\n")
    return True


def settle() -> None:
    """Freezes the objects there are: full garbage collections, 0.1 s with torch loaded, then skip them."""
    gc.collect()
    gc.freeze()
