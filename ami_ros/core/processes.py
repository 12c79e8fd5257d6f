"""Processes that a command starts beside itself: workers that drive for a long time, and other commands of `./ami`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ami_ros.core.errors import AmiError

links: dict[str, Any] = {}  # of a worker process to the command: what `worker_pool` was given, by name


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
    pool = ProcessPoolExecutor(workers, context, _begin, (wanted, learns, given))
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


def _begin(wanted: Connection, learns: bool, given: dict[str, Any]) -> None:
    """Initialises a worker process. When the other end of the pipe `wanted` is closed, or its owner dies, it ends: its
    work is no longer wanted, for a drive takes long, and nothing is half written.

    By a pipe, as the end of a file needs no lock: who closes an event waits forever for a worker that was killed.
    """
    if learns:
        import torch

        torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, which ends its workers
    links.update(given)
    threading.Thread(target=lambda: (wanted.poll(None), os._exit(1)), name="end", daemon=True).start()


def start_command(
    arguments: Sequence[str], log: Path, said: str, patience: float, environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[subprocess.Popen[bytes], re.Match[str]]:  # fmt: skip
    """Starts `ami ARGUMENTS` in a session of its own, and waits for at most `patience` [s] until it has said something
    that matches `said`.

    Raises:
        AmiError: it ended before, or did not say that; it is gone then.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ami_ros.cli", *arguments], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True, env=environment, cwd=folder,
        )  # fmt: skip
    deadline = time.monotonic() + patience
    try:
        while (found := re.search(said, text := log.read_text(errors="replace"))) is None:
            last = (text.strip() or "it said nothing").splitlines()[-1]
            if process.poll() is not None:
                raise AmiError(f"ami {arguments[0]} ended: {last}")
            if time.monotonic() > deadline:
                raise AmiError(f"ami {arguments[0]} is not ready in time: {last}; see {log}")
            time.sleep(0.2)
    except BaseException:
        end_command(process)
        raise
    return process, found


def end_command(process: subprocess.Popen[bytes]) -> None:
    """Ends it as Ctrl-C does, and waits for it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
