"""The processes of `ami collect`: runs recorded side by side, with a progress bar."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console

from ami_ros.cli.extract_run import progress_bar
from ami_ros.core.processes import links, worker_pool
from ami_ros.world_model.learning.collection import CollectionConfig, record_run, run_folder


def collect(out: Path, config: CollectionConfig, missing: list[int], workers: int, console: Console) -> int:
    """Records the runs that are `missing`; returns the number of contacts over all of them.

    Raises AmiError, or KeyboardInterrupt after saying how to go on.
    """
    lengths = config.run_lengths()
    done: Any = get_context("spawn").Array("q", len(lengths))  # steps of each run
    try:
        with worker_pool(min(workers, len(missing)), learns=False, done=done) as pool:
            futures = [pool.submit(_record, out, config, run) for run in missing]
            _watch(futures, done, sum(lengths[run] for run in missing), console)
            return sum(future.result() for future in futures)
    except BaseException:
        complete = sum(run_folder(out, run).exists() for run in range(len(lengths)))
        kept = f"{complete} complete runs are kept in {out}"
        console.print(f"interrupted: run the command again to go on, {kept}", soft_wrap=True)
        raise


def _watch(futures: list[Future[int]], done: Any, total: int, console: Console) -> None:
    with progress_bar(console) as progress:
        task, begun, running = progress.add_task("collecting", total=total), time.monotonic(), set(futures)
        while running:
            finished, running = wait(running, timeout=0.5)
            for future in finished:
                future.result()  # raises what went wrong, at once
            steps = sum(done)
            rate = f"collecting, {steps / (time.monotonic() - begun):.0f} steps/s"
            progress.update(task, completed=steps, description=rate)


def _record(out: Path, config: CollectionConfig, run: int) -> int:
    def tick() -> None:
        links["done"][run] += 1

    return record_run(out, config, run, tick)
