"""A task on disk, so that it survives the process: written whole or not at all, read strictly."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ami_ros.behaviour.area import Area
from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.mission import Mission, MissionPlan, Progress
from ami_ros.behaviour.task import Code, Destination, Phase, Task
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.config import from_mapping, to_mapping
from ami_ros.core.errors import AmiError

FORMAT, VERSION = "ami_ros mission", 1


@dataclass(frozen=True)
class StoredMission:
    """What a mission is made of."""

    plan: MissionPlan
    progress: Progress

    def __post_init__(self) -> None:
        count = len(self.plan.goals)
        if len(self.progress.records) != count or not all(0 <= k < count for k in self.progress.visited):
            raise ValueError(f"the progress is not that of {count} goals")


@dataclass(frozen=True)
class StoredExploration:
    """What exploring is made of; what it has seen is in the memory of places."""

    allowance: float
    elapsed: float
    home: Destination | None = None
    returning: str = ""  # why, if it is
    area: Area | None = None


class MissionFile:
    """The file of the task under way; there is none where nothing is to be resumed.

    Args:
        path: of the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def save(self, task: Task, by_itself: bool = True) -> None:
        """Writes `task`; removes the file if it is done. What shall not go on by itself is infinitely old.

        Raises:
            AmiError: the folder is missing, read-only or full (`Code.BAD_FILE`).
        """
        if self.path is None:
            return
        try:
            if task.phase is Phase.DONE:
                self.path.unlink(missing_ok=True)
                return
            times = {"saved": time.time(), "boot": _boot(), "uptime": time.clock_gettime(time.CLOCK_BOOTTIME)}
            if not by_itself:
                times = {"saved": 0.0}
            stored: StoredMission | StoredExploration
            if isinstance(task, Mission):
                kind, stored = "mission", StoredMission(task.plan, task.progress)
            else:
                assert isinstance(task, Exploration)
                returning = task.message if task.phase is Phase.RETURNING else ""
                kind, stored = (
                    "exploration",
                    StoredExploration(task.allowance, task.elapsed, task.home, returning, task.area),
                )
            text = json.dumps({"format": FORMAT, "version": VERSION, **times, kind: to_mapping(stored)})
            partial = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # there are pictures in it
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except OSError as error:
            raise AmiError(
                f"cannot write {self.path}: {error.strerror or error}; free the disk, or choose another mission_file",
                Code.BAD_FILE,
            ) from error

    def age(self) -> float | None:
        """How long ago the task was written [s]; None where there is none.

        By the time since the machine was started, which nobody sets; if it was started since, by its clock.
        """
        content = self._content()
        if content is None:
            return None
        uptime = content.get("uptime")
        if not content["saved"]:
            return math.inf
        if content.get("boot") == _boot() and isinstance(uptime, int | float):
            return time.clock_gettime(time.CLOCK_BOOTTIME) - uptime
        return time.time() - float(content["saved"])

    def load(self, config: ExplorationConfig) -> Task | None:
        """The task as it was interrupted; None where there is none. `config` is of exploring.

        Raises:
            AmiError: the file is damaged, or is none of ours (`Code.BAD_FILE`).
        """
        content = self._content()
        if content is None:
            return None
        try:
            if "exploration" in content:
                found = from_mapping(StoredExploration, content["exploration"], str(self.path))
                task = Exploration(config, found.allowance, found.home, found.area)
                task.elapsed = found.elapsed
                if found.returning:
                    task.go_home(found.returning.removeprefix("returning: "))
                return task
            if "mission" not in content:
                raise AmiError(f"{self.path} holds neither mission nor exploration")
            mission = from_mapping(StoredMission, content["mission"], str(self.path))
            return Mission(mission.plan, mission.progress)
        except AmiError as error:
            raise AmiError(f"{error}; delete the file, or choose another mission_file", Code.BAD_FILE) from error

    def _content(self) -> dict[str, Any] | None:
        if self.path is None or not self.path.exists():
            return None
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except OSError as error:
            raise AmiError(f"cannot read {self.path}: {error.strerror or error}", Code.BAD_FILE) from error
        except ValueError:
            content = None
        ours = isinstance(content, dict) and content.get("format") == FORMAT
        if not ours or not isinstance(content.get("saved"), int | float):
            raise AmiError(
                f"{self.path} is not a mission of ami_ros, or damaged; delete it, or choose another mission_file",
                Code.BAD_FILE,
            )
        if content.get("version") != VERSION:
            raise AmiError(
                f"{self.path} has version {content.get('version')} and this is ami_ros of version {VERSION}; "
                "delete it, or finish its mission with the other release",
                Code.BAD_FILE,
            )
        return dict(content)


def _boot() -> str:
    """Another text each time the machine is started; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
