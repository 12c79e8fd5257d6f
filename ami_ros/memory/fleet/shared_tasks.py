"""Tasks that any number of processes share, on any number of machines, which have a folder in common and nothing else.

Who begins a task says so by a file of its name, and touches that again and again while it is at it. Who has nothing
else to do takes over what nobody has touched for a while. A result is written once it is whole, and the same task has
the same result whoever does it. So a process may come, or be killed, at any time: nobody waits for it for ever, and a
job that is started again goes on with what it has.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ami_ros.world_model.model_files import write_atomically

Result = dict[str, Any]  # as JSON has it
RESULT, CLAIM = ".json", ".claim"
TOUCHED, ABANDONED = 2.0, 20.0  # [s] after which a claim is touched again, and after which somebody else takes it


class SharedTasks:
    """Tasks of one job.

    Args:
        folder: where results are, made if it is not there; what tasks write besides lies there, too.
        abandoned: see `ABANDONED`.
    """

    def __init__(self, folder: Path, abandoned: float = ABANDONED) -> None:
        self.folder, self.abandoned = folder, abandoned
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, tasks: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
        """Returns once all tasks are done, by whomever; their results by their names.

        Args:
            tasks: by names for files. One may be done twice, at once: what it writes has to be whole at any time.
        """
        found: dict[str, Result] = {}
        while True:
            there = {entry.name for entry in os.scandir(self.folder)}
            for name in tasks.keys() - found.keys():
                if name + RESULT in there:
                    found[name] = json.loads((self.folder / (name + RESULT)).read_text(encoding="utf-8"))
            missing = [name for name in tasks if name not in found]
            if not missing:
                return {name: found[name] for name in tasks}
            if not any([self._try(name, tasks[name]) for name in missing if name + CLAIM not in there]):
                self._take_over(missing, tasks)

    def _take_over(self, missing: list[str], tasks: Mapping[str, Callable[[], Result]]) -> None:
        """Does what somebody has begun and abandoned, or waits a little."""
        for name in missing:
            claim = self.folder / (name + CLAIM)
            with suppress(FileNotFoundError):
                if time.time() - claim.stat().st_mtime > self.abandoned:
                    claim.unlink()
                    self._try(name, tasks[name])
                    return
        time.sleep(0.05)

    def _try(self, name: str, task: Callable[[], Result]) -> bool:
        """Does a task, unless somebody is at it."""
        result, claim = self.folder / (name + RESULT), self.folder / (name + CLAIM)
        try:
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        if result.exists():  # somebody was faster
            return True
        with _touched(claim):
            made = task()
        write_atomically(result, json.dumps(made).encode())
        return True


@contextmanager
def _touched(claim: Path) -> Iterator[None]:
    """Inside, others see that somebody is at it."""
    over = threading.Event()

    def touch() -> None:
        while not over.wait(TOUCHED):
            with suppress(OSError):
                os.utime(claim)

    thread = threading.Thread(target=touch, name="claim", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        claim.unlink(missing_ok=True)
        raise
    finally:
        over.set()
        thread.join()
