"""Worker processes of a command that drive for a long time, one thread each, and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Any

links: dict[str, Any] = {}  # of a worker process to the command: what `start` was given, by name


def start(given: dict[str, Any]) -> None:
    """Initialises a worker process; `given` needs an event `stop`, at which the process ends, as it does without its
    parent."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, which ends its workers
    links.update(given)
    threading.Thread(target=_end_with, args=(given["stop"], os.getppid()), name="end", daemon=True).start()


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


def _end_with(stop: Event, parent: int) -> None:
    """Ends the process when its work is no longer wanted, for a drive takes long; nothing is half written.

    On a thread: a handler of signals may interrupt itself while it holds the event's lock, and then waits forever.
    """
    while not stop.wait(1.0) and os.getppid() == parent:
        pass
    os._exit(1)
