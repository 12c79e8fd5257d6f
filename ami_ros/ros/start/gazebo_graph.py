"""Gazebo and what stands between it and the stack, as processes of a graph: in the place of our own simulator."""

from __future__ import annotations

from typing import Any

from ami_ros.robots.description import robot_reference
from ami_ros.ros.start.gazebo import GazeboFiles
from ami_ros.ros.start.gazebo_install import Gazebo
from ami_ros.ros.start.graph import Arguments, ProcessSpec

NODES = ("clock_bridge", "gazebo_bridge", "gazebo_world", "command_timeout")
PLAN_LASER = "plan_laser"


def gazebo_environment(gazebo: Gazebo, domain: int) -> dict[str, str]:
    """Variables for all processes: a Gazebo of their own on this machine, whatever else runs."""
    return gazebo.environment | {"GZ_PARTITION": f"ami_{domain}", "GZ_IP": "127.0.0.1"}


def gazebo_processes(gazebo: Gazebo, files: GazeboFiles, arguments: Arguments, laser: bool) -> list[ProcessSpec]:
    """The server first.

    Args:
        gazebo: the installation.
        files: written with the same `laser`.
        arguments: robot, world and seed count.
        laser: scans are Gazebo's.
    """
    robot = {"robot": robot_reference(arguments.robot)}
    model = robot | {"model": files.model}
    server = (gazebo.program, "sim", *files.arguments(headless=True).split())
    command = {"enable_stamped_cmd_vel": files.robot.command.stamped, "base_frame": files.robot.frames.base}
    found = [
        ProcessSpec("gazebo", {}, (), {}, "", arguments.log_level, program=server),
        _node(arguments, "gazebo_bridge", robot | {"part": "clock"}, "clock_bridge", clock=False),
        _node(arguments, "gazebo_bridge", model | {"laser": laser}),
        _node(arguments, "gazebo_world", model | {"world": files.world.stem}),
        _node(arguments, "command_timeout", command),
    ]
    if not laser:
        plan = robot | {"world": arguments.world, "seed": arguments.seed}
        found.append(_node(arguments, PLAN_LASER, plan))
    return found


def _node(
    arguments: Arguments, executable: str, parameters: dict[str, Any], name: str = "", clock: bool = True
) -> ProcessSpec:  # fmt: skip
    """One that starts itself, and again when it dies."""
    node = name or executable
    common = {"autostart": True, **({"use_sim_time": True} if clock else {})}
    rename = {"__node": node} if name else {}
    return ProcessSpec(
        executable, {node: common | parameters}, (), rename, arguments.namespace, arguments.log_level,
        respawn=arguments.respawn, title=name,
    )  # fmt: skip
