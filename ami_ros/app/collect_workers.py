"""The processes of `ami collect`: runs recorded side by side, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ami_ros.errors import AmiError
from ami_ros.learning.collection import CollectionConfig, record_run, run_folder


class Workers:
    """Records runs in processes; a progress bar shows how far they are."""

    def __init__(self, out: Path, config: CollectionConfig, missing: list[int], workers: int) -> None:
        self.out, self.config, self.missing = out, config, missing
        self.workers = min(workers, len(missing))

    def run(self, console: Console) -> int:
        """The number of contacts over all runs. Raises AmiError, or KeyboardInterrupt after saying how to go on."""
        # Not forked: a process that inherits a rendering context cannot render.
        context: SpawnContext = multiprocessing.get_context("spawn")
        lengths = self.config.run_lengths()
        done: Any = context.Array("q", len(lengths))
        stop = context.Event()
        executor = ProcessPoolExecutor(self.workers, context, _start_worker, (done, stop))
        futures = [executor.submit(_record, self.out, self.config, run) for run in self.missing]
        try:
            self._watch(futures, done, sum(lengths[run] for run in self.missing), console)
            return sum(future.result() for future in futures)
        except BrokenProcessPool:
            raise AmiError(f"a worker was killed (out of memory?): run the command again, {self._kept()}") from None
        except KeyboardInterrupt:
            console.print(f"interrupted: run the command again to go on, {self._kept()}", soft_wrap=True)
            raise
        finally:
            stop.set()
            executor.shutdown(cancel_futures=True)

    def _watch(self, futures: list[Future[int]], done: Any, total: int, console: Console) -> None:
        columns = (TextColumn("collecting"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            task = progress.add_task("collect", total=total, rate="")
            begun = time.monotonic()
            running = set(futures)
            while running:
                finished, running = wait(running, timeout=0.5)
                for future in finished:
                    future.result()  # raises what went wrong, at once
                steps = sum(done)
                rate = f"{steps / (time.monotonic() - begun):.0f} steps/s"
                progress.update(task, completed=steps, rate=rate)

    def _kept(self) -> str:
        complete = sum(run_folder(self.out, run).exists() for run in range(len(self.config.run_lengths())))
        return f"{complete} complete runs are kept in {self.out}"


class _Stopped(Exception):
    """The collection was ended from outside."""


_shared: dict[str, Any] = {}  # a worker process's link to the command


def _start_worker(done: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, which stops its workers
    _shared.update(done=done, stop=stop, parent=os.getppid())


def _record(out: Path, config: CollectionConfig, run: int) -> int:
    def tick() -> None:
        _shared["done"][run] += 1
        if _shared["stop"].is_set() or os.getppid() != _shared["parent"]:
            raise _Stopped

    return record_run(out, config, run, tick)
