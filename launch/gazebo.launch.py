"""Gazebo with a world of ami_ros and a robot in it, bridged to ROS. The stack starts beside it, as for a real robot:

ros2 launch ami_ros gazebo.launch.py world:=home
ros2 launch ami_ros bringup.launch.py use_sim_time:=true
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from launch.actions import (
    AppendEnvironmentVariable,
    DeclareLaunchArgument,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnShutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, SetRemap
from launch_ros.substitutions import FindPackageShare

from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.core.robots.description import DEFAULT, robot_reference
from ami_ros.ros.start.gazebo import write_files
from ami_ros.ros.start.launching import ends_with_launch, installed, local_only
from launch import LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument("world", default_value="home", description="A world, a world file or building:SEED."),
            DeclareLaunchArgument("robot", default_value=DEFAULT, description="A robot in config/robots, or its file."),
            DeclareLaunchArgument("namespace", default_value="", description="Of the robot's topics and nodes."),
            DeclareLaunchArgument(
                "pose", default_value="", description="Where it starts: 'x y yaw' [m, m, rad]; empty: by the seed."
            ),
            DeclareLaunchArgument("seed", default_value="0", description="Of where it starts."),
            DeclareLaunchArgument(
                "headless", default_value="true", choices=["true", "false"], description="No window; draw by EGL."
            ),
            *local_only(),
            # Behind what is there already, so that models of the user's own are found first.
            AppendEnvironmentVariable("GZ_SIM_RESOURCE_PATH", str(share("description", "ami_bot").parent)),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list:
    """Gazebo, the bridges, the frames of the robot, and what stops it when commands cease."""
    if not installed("ros_gz_sim") and shutil.which("gz") is None:
        raise AmiError("Gazebo is not installed: neither the package ros_gz_sim nor the command gz is there")
    if not installed("robot_state_publisher"):
        raise AmiError("the package robot_state_publisher is not installed")
    values = {
        name: LaunchConfiguration(name).perform(context) for name in ("world", "robot", "namespace", "pose", "seed")
    }
    headless = LaunchConfiguration("headless").perform(context) == "true"
    folder = Path(tempfile.mkdtemp(prefix="ami_gazebo_"))
    remove = RegisterEventHandler(OnShutdown(on_shutdown=lambda *_: shutil.rmtree(folder, ignore_errors=True)))
    files = write_files(folder, **{**values, "seed": int(values["seed"])})
    command = {"enable_stamped_cmd_vel": files.robot.command.stamped, "base_frame": files.robot.frames.base}
    namespace = values["namespace"]
    if installed("ros_gz_sim"):
        gazebo = IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                PathJoinSubstitution([FindPackageShare("ros_gz_sim"), "launch", "gz_sim.launch.py"])
            ),
            launch_arguments={"gz_args": files.arguments(headless), "on_exit_shutdown": "true"}.items(),
        )
    else:
        gazebo = ExecuteProcess(
            cmd=["gz", "sim", *files.arguments(headless).split()], on_exit=Shutdown(), output="screen"
        )
    # The clock has a process of its own: pictures must not hold it up.
    alive = ends_with_launch(folder)
    clock = bridge(
        "clock_bridge", "", files.clock_bridge, {"part": "clock"}, alive, on_exit=Shutdown(reason="no clock")
    )
    robot = {"robot": robot_reference(values["robot"])}
    model = {**robot, "model": files.model, "use_sim_time": True}
    topics = bridge("robot_bridge", namespace, files.robot_bridge, model, alive, respawn=True, respawn_delay=0.5)
    timeout = Node(  # Gazebo's drives keep their last command for ever
        package="ami_ros",
        executable="command_timeout",
        namespace=namespace,
        parameters=[{**command, "use_sim_time": True}],
        remappings=[("cmd_vel", files.robot.command.topic)] if files.robot.command.topic != "cmd_vel" else [],
        additional_env=alive,
        respawn=True,
        respawn_delay=0.5,
        output="screen",
    )
    frames = Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        namespace=namespace,
        parameters=[{"robot_description": files.urdf, "use_sim_time": True}],
        output="screen",
    )
    relative = [SetRemap("/tf", "tf"), SetRemap("/tf_static", "tf_static")] if namespace else []
    return [remove, gazebo, clock, GroupAction([*relative, topics, timeout, frames])]


def bridge(name: str, namespace: str, table: Path, own: dict, alive: dict[str, str], **options: Any) -> Node:
    """ros_gz_bridge with a table of topics, or where it is not installed our own by gz.transport, with parameters."""
    if installed("ros_gz_bridge"):
        parameters = {"config_file": str(table)}
        return Node(
            package="ros_gz_bridge", executable="parameter_bridge", name=name, namespace=namespace,
            parameters=[parameters], output="screen", **options,
        )  # fmt: skip
    return Node(
        package="ami_ros", executable="gazebo_bridge", name=name, namespace=namespace,
        parameters=[own], additional_env=alive, output="screen", **options,
    )  # fmt: skip
