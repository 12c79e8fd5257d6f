"""Worker processes of a command that drive for a long time, one thread each, and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

links: dict[str, Any] = {}  # of a worker process to the command: what `start` was given, by name


def start(given: dict[str, Any]) -> None:
    """Initialises a worker process; `given` needs `wanted`, one end of a pipe: when the other is closed, or its owner
    dies, the process ends."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, which ends its workers
    links.update(given)
    threading.Thread(target=_end_with, args=(given["wanted"],), name="end", daemon=True).start()


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for single tasks; at an end by Ctrl-C or an error they do not finish what they are at.

    Not forked: a process that inherits a rendering context cannot render.
    """
    context = get_context("spawn")
    wanted, end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, start, ({"wanted": wanted},))
    try:
        yield pool
    except BaseException:
        end.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        end.close()
        wanted.close()


def _end_with(wanted: Connection) -> None:
    """Ends the process when its work is no longer wanted, for a drive takes long; nothing is half written.

    By a pipe, as the end of a file needs no lock: who closes an event waits forever for a worker that was killed.
    """
    wanted.poll(None)
    os._exit(1)
