"""The graph as launch descriptions; only launch files import this, for it needs `launch` and `launch_ros`."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.start.graph import Arguments, Part, ProcessSpec, declared, processes, rules_of
from launch import LaunchContext, LaunchDescription


def launch_description(*parts: Part, **defaults: Any) -> LaunchDescription:
    """Declares the arguments of `parts`, `defaults` in place of their own defaults, and starts their processes.

    They meet nodes of this machine only, unless ROS_AUTOMATIC_DISCOVERY_RANGE says otherwise.
    """
    hints = typing.get_type_hints(Arguments)
    actions: list[Any] = []
    for field in declared(parts):
        default = _text(defaults.get(field.name, field.default))
        literal = typing.get_origin(hints[field.name]) is typing.Literal
        choices = (
            ["true", "false"] if hints[field.name] is bool else typing.get_args(hints[field.name]) if literal else None
        )
        actions.append(
            DeclareLaunchArgument(
                field.name,
                default_value=default,
                description=field.metadata["doc"],
                choices=list(choices) if choices else None,
            )
        )
    return LaunchDescription([*local_only(), *actions, OpaqueFunction(function=_start, args=[parts])])


def local_only() -> list[SetEnvironmentVariable]:
    """Has nodes meet those of this machine only, unless the environment says otherwise: a stranger on the network must
    not drive the robot because nobody thought of it."""
    name = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    return [] if name in os.environ else [SetEnvironmentVariable(name, "LOCALHOST")]


def _start(context: LaunchContext, parts: Iterable[Part]) -> list[Node]:
    values = {field.name: LaunchConfiguration(field.name).perform(context) for field in declared(parts)}
    arguments = Arguments.parse(values)
    folder = Path(tempfile.mkdtemp(prefix="ami_ros_launch_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # a node that starts again reads its files again
    nodes = [_node(spec, folder) for spec in processes(arguments, parts)]
    if not arguments.headless:
        if not installed("rviz2"):
            raise AmiError("rviz2 is not installed; headless:=true does without")
        nodes.append(_rviz(arguments, folder))
    return nodes


def _rviz(arguments: Arguments, folder: Path) -> Node:
    """RViz, which sees the robot's topics under the names that they have, in its namespace."""
    robot = load_robot(arguments.robot)
    config = folder / "ami_ros.rviz"
    text = share("rviz", "ami_ros.rviz").read_text(encoding="utf-8")
    text = text.replace("Fixed Frame: map\n", f"Fixed Frame: {robot.frames.map}\n")
    text = text.replace("Target Frame: base_link\n", f"Target Frame: {robot.frames.base}\n")
    config.write_text(text, encoding="utf-8")
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=arguments.namespace,
        arguments=["-d", str(config)],
        parameters=[{"use_sim_time": arguments.use_sim_time}],
        remappings=list(rules_of(arguments, robot).items()),
        additional_env=ends_with_launch(folder),
        output="log",
    )


def installed(package: str) -> bool:
    """Whether a ROS package is in the workspaces that are sourced."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def ends_with_launch(folder: Path) -> dict[str, str]:
    """Variables of a node that is to end with this launch, whatever ends that, and to remove its temporary folder."""
    return {"AMI_PARENT": str(os.getpid()), "AMI_PARENT_FOLDER": str(folder)}


def _node(spec: ProcessSpec, folder: Path) -> Node:
    return Node(
        package="ami_ros",
        executable=spec.executable,
        namespace=spec.namespace,
        parameters=spec.files(folder),
        remappings=list(spec.rules.items()),
        ros_arguments=[*spec.enclave, "--log-level", spec.log_level],
        respawn=spec.respawn,
        respawn_delay=0.5,
        additional_env=ends_with_launch(folder),
        on_exit=_ended,
        output="screen",
        emulate_tty=True,
    )


def _ended(event: ProcessExited, context: LaunchContext) -> None:
    """A mistake in the set-up stays one: it ends everything, rather than this process alone, or for ever.

    By an error, for after the action Shutdown `ros2 launch` would end as if all were well.
    """
    if event.returncode == AmiError.exit_code:
        raise AmiError(f"{event.process_name} could not start; its own line above says why")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
