"""Gazebo and what stands between it and the stack, as processes of a graph: in the place of our own simulator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ami_ros.robots.derived import topics
from ami_ros.robots.description import robot_reference
from ami_ros.ros.start.gazebo import GazeboFiles
from ami_ros.ros.start.gazebo_install import Gazebo
from ami_ros.ros.start.graph import Arguments, ProcessSpec

NODES = ("clock_bridge", "gazebo_bridge", "gazebo_world", "command_timeout")
PLAN_LASER = "plan_laser"
USUAL = ("image", "scan", "odom")  # as the stack beside a simulator has them, whatever the robot calls them


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
    usual = {topic: name for name, topic in topics(files.robot).items() if name in USUAL and topic != name}
    found = [
        ProcessSpec("gazebo", {}, (), {}, "", arguments.log_level, program=server),
        _node(arguments, "gazebo_bridge", robot | {"part": "clock"}, "clock_bridge", clock=False),
        _node(arguments, "gazebo_bridge", model | {"laser": laser}, remappings=usual),
        _node(arguments, "gazebo_world", model | {"world": files.world.stem}),
        _node(arguments, "command_timeout", command),
    ]
    if not laser:
        plan = robot | {"world": arguments.world, "seed": arguments.seed}
        found.append(_node(arguments, PLAN_LASER, plan))
    return found


def _node(
    arguments: Arguments, executable: str, parameters: dict[str, Any], name: str = "", clock: bool = True,
    remappings: Mapping[str, str] = MappingProxyType({}),
) -> ProcessSpec:  # fmt: skip
    """One that starts itself, and again when it dies."""
    node = name or executable
    common = {"autostart": True, **({"use_sim_time": True} if clock else {})}
    rules = {**remappings, **({"__node": node} if name else {})}
    return ProcessSpec(
        executable, {node: common | parameters}, (), rules, arguments.namespace, arguments.log_level,
        respawn=arguments.respawn, title=name,
    )  # fmt: skip
