"""Worker processes of a command that drive for a long time, one thread each, and end with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from types import FrameType
from typing import Any

links: dict[str, Any] = {}  # of a worker process to the command: what `start` was given, by name


def start(given: dict[str, Any]) -> None:
    """Initialises a worker process; `given` needs an event `stop`, at which the process ends, as it does without its
    parent."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, which ends its workers
    links.update(given, parent=os.getppid())
    signal.signal(signal.SIGALRM, _look_up)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for single tasks; at an end by Ctrl-C or an error they do not finish what they are at.

    Not forked: a process that inherits a rendering context cannot render.
    """
    context = get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, context, start, ({"stop": stop},))
    try:
        yield pool
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _look_up(number: int, frame: FrameType | None) -> None:
    """Whether its work is still wanted is looked at by the clock, for a drive takes long; nothing is half written."""
    if links["stop"].is_set() or os.getppid() != links["parent"]:
        os._exit(1)
