"""The processes of `ami bench planning`: methods and seeds side by side, one thread each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ami_ros.app import workers
from ami_ros.errors import AmiError
from ami_ros.evaluation.planning_methods import COURSE, METHODS, Row, Setting

Job = tuple[str, int]  # method, seed


class PlanningWorkers:
    """Drives jobs, each in one of a few processes.

    Args:
        setting: what they share.
        jobs: (method, seed) in the order in which they shall begin.
        known: rows of jobs that need not be driven: the course for those that follow one.
        processes: how many at a time.
    """

    def __init__(self, setting: Setting, jobs: Sequence[Job], known: dict[Job, list[Row]], processes: int) -> None:
        self.setting, self.waiting, self.known = setting, list(jobs), dict(known)
        self.processes = max(1, min(processes, len(jobs)))

    def run(self, console: Console, finished: Callable[[Job, list[Row]], None]) -> None:
        """Calls `finished` with the rows of each job. Raises AmiError if a process was killed."""
        context = multiprocessing.get_context("spawn")  # a process that inherits a rendering context cannot render
        done, stop = context.Value("q", 0), context.Event()
        executor = ProcessPoolExecutor(self.processes, context, workers.start, ({"done": done, "stop": stop},))
        total = sum(METHODS[method].tasks(self.setting.goals) for method, _ in self.waiting)
        columns = (TextColumn("driving"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        try:
            with Progress(*columns, console=console, transient=True) as progress:
                task = progress.add_task("", total=total)
                running: dict[Future[list[Row]], Job] = {}
                while self.waiting or running:
                    self._submit(executor, running)
                    ended, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                    progress.update(task, completed=done.value)
                    for future in ended:
                        job = running.pop(future)
                        self.known[job] = future.result()
                        finished(job, self.known[job])
        except BrokenProcessPool:
            raise AmiError("bench planning: a worker was killed (out of memory?); try fewer --jobs") from None
        except BaseException:
            stop.set()
            raise
        finally:
            executor.shutdown(cancel_futures=True)

    def _submit(self, executor: ProcessPoolExecutor, running: dict[Future[list[Row]], Job]) -> None:
        """Begins what can begin; those that follow a course wait for it."""
        for job in list(self.waiting):
            method, seed = job
            course = self.known.get((COURSE, seed)) if METHODS[method].follows else []
            if course is not None and len(running) < self.processes:
                self.waiting.remove(job)
                running[executor.submit(_drive, self.setting, method, seed, course)] = job


def _drive(setting: Setting, method: str, seed: int, course: list[Row]) -> list[Row]:
    rows = []
    for row in METHODS[method].drive(setting, seed, course):
        rows.append(row)
        with workers.links["done"].get_lock():
            workers.links["done"].value += 1
    return rows
