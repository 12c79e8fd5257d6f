"""What a process of the control loop asks of the machine, so that other programs do not make it late."""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from pathlib import Path

URGENT = -5  # niceness of what stands between an image and a command
AUTOGROUP = Path("/proc/self/autogroup")  # Linux weighs sessions against each other, and processes only within one


def be_urgent(niceness: int) -> bool:
    """Asks for more than its even share of the processors, for this thread and those that it starts from now on.

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
    """What there is now stays: full garbage collections, which take a tenth of a second with torch, need not see it."""
    gc.collect()
    gc.freeze()
