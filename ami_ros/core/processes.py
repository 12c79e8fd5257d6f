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

# Worker processes of a command that drive for a long time, one thread each, and end with it.

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


# Commands of `./ami` that another command runs beside itself, with their output in a file.


def background_command_start(
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
    try:
        return process, _heard(process, arguments[0], log, said, time.monotonic() + patience)
    except BaseException:
        end(process)
        raise


def _heard(process: subprocess.Popen[bytes], name: str, log: Path, said: str, deadline: float) -> re.Match[str]:
    while True:
        text = log.read_text(errors="replace")
        if (found := re.search(said, text)) is not None:
            return found
        last = (text.strip() or "it said nothing").splitlines()[-1]
        if process.poll() is not None:
            raise AmiError(f"ami {name} ended: {last}")
        if time.monotonic() > deadline:
            raise AmiError(f"ami {name} is not ready in time: {last}; see {log}")
        time.sleep(0.2)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends it as Ctrl-C does, and waits for it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
