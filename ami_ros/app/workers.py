"""Worker processes of a command that drive for a long time, one thread each, and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from ami_ros.errors import AmiError

links: dict[str, Any] = {}  # of a worker process to the command: what `start` was given, by name


def start(wanted: Connection, learns: bool, given: dict[str, Any]) -> None:
    """Initialises a worker process. When the other end of the pipe `wanted` is closed, or its owner dies, it ends."""
    if learns:
        import torch

        torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, which ends its workers
    links.update(given)
    threading.Thread(target=_end_with, args=(wanted,), name="end", daemon=True).start()


@contextmanager
def worker_pool(workers: int, learns: bool = True, **given: Any) -> Iterator[ProcessPoolExecutor]:
    """Processes for single tasks; at an end by Ctrl-C or an error they do not finish what they are at.

    Not forked: a process that inherits a rendering context cannot render.

    Args:
        workers: how many.
        learns: whether they use torch.
        given: what tasks find in `links`.

    Raises:
        AmiError: one of them was killed.
    """
    context = get_context("spawn")
    wanted, end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, start, (wanted, learns, given))
    try:
        yield pool
    except BaseException as error:
        end.close()
        if isinstance(error, BrokenProcessPool):
            raise AmiError("a worker was killed (out of memory?): repeat the command with fewer of them") from error
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
