"""Simulator, ours or Gazebo, and stack as the processes of a demo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ami_ros.app.demo_settings import DemoSettings
from ami_ros.ros.start.gazebo import NODES as GAZEBO_NODES
from ami_ros.ros.start.gazebo import gazebo_environment, gazebo_processes, write_files
from ami_ros.ros.start.graph import STACK, Arguments, ProcessSpec, processes
from ami_ros.ros.start.processes import ProcessKeeper

NODES = ("simulator", *STACK, "supervisor")
USUAL: dict[str, Any] = {f"{name}_topic": name for name in ("image", "scan", "odom", "cmd_vel")}  # whatever the robot's


def nodes_of(settings: DemoSettings) -> tuple[str, ...]:
    """Names of all nodes that a demo starts."""
    return NODES if settings.gazebo is None else (*GAZEBO_NODES, *NODES[1:])


class DemoStack:
    """Starts what `settings` ask for, in the ROS domain of this process's environment.

    Args:
        settings: checked.
        folder: for parameters and logs.
    """

    def __init__(self, settings: DemoSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._keeper: ProcessKeeper | None = None

    def start(self) -> None:
        """Starts all processes. What is remembered of this demo is forgotten at its end: the file that it begins with
        stays as it is.

        Raises:
            AmiError: a file of the package is missing.
        """
        settings = self._settings
        arguments = Arguments(
            use_sim_time=True,
            robot=settings.robot_file,
            **USUAL,
            composed=settings.composed,
            respawn=True,
            model=str(settings.model),
            memory_file=str(settings.memory or ""),
            keep_memory=False,
            world=settings.world_source,
            seed=settings.seed,
            real_time_factor=settings.real_time_factor,
        )
        folder = self._folder
        if settings.gazebo is None:
            self._keeper = ProcessKeeper(processes(arguments, ("simulation", "stack")), folder)
        else:
            environment = gazebo_environment(settings.gazebo, int(os.environ["ROS_DOMAIN_ID"]))
            specs = [*self._gazebo(arguments, folder), *processes(arguments, ("stack",))]
            self._keeper = ProcessKeeper(specs, folder, environment)
        self._keeper.start()

    def _gazebo(self, arguments: Arguments, folder: Path) -> list[ProcessSpec]:
        settings = self._settings
        assert settings.gazebo is not None
        files = write_files(
            folder, settings.world_source, settings.robot_file, seed=settings.seed,
            photographer=True, real_time_factor=settings.real_time_factor,
        )  # fmt: skip
        return gazebo_processes(settings.gazebo, files, arguments)

    def stop(self) -> None:
        """Ends all processes; does nothing the second time."""
        if self._keeper is not None:
            self._keeper.stop()

    def check(self) -> None:
        """Raises AmiError if a process has ended for good."""
        if self._keeper is not None:
            self._keeper.check()

    def restarts(self) -> dict[str, int]:
        """How often each process that died was started again; those that never did are left out."""
        processes = self._keeper.processes if self._keeper is not None else {}
        return {name: process.respawns for name, process in processes.items() if process.respawns}

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return self._keeper.pids() if self._keeper is not None else {}
