"""Launch files with their processes under the real launch library, as `ros2 launch` runs them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from ami_ros.core.config import dump_yaml
from harness.processes import REPOSITORY, ChildProcess, Children
from harness.waiting import wait_until

pytest.importorskip("launch_ros", reason="the launch library is not installed here (the ROS wheels do not have it)")

LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
file, *arguments = sys.argv[1:]
source = PythonLaunchDescriptionSource(file)
values = [argument.split(":=") for argument in arguments]
service = LaunchService(argv=arguments)
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=values)]))
sys.exit(service.run())
"""


class Launches:
    """Starts launch files; their nodes run from the source tree."""

    def __init__(self, children: Children, prefix: Path) -> None:
        self._children = children
        for folder in ("share/ament_index/resource_index/packages", "lib/ami_ros"):
            (prefix / folder).mkdir(parents=True)
        (prefix / "share" / "ament_index" / "resource_index" / "packages" / "ami_ros").touch()
        for node in (REPOSITORY / "ami_ros" / "nodes").glob("[a-z]*.py"):
            executable = prefix / "lib" / "ami_ros" / node.stem
            executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ami_ros.ros.nodes.{node.stem} "$@"\n')
            executable.chmod(0o755)
        paths = [str(prefix), os.environ.get("AMENT_PREFIX_PATH", "")]
        self._environment = {"AMENT_PREFIX_PATH": os.pathsep.join(paths)}

    def start(self, name: str, *arguments: str) -> ChildProcess:
        """`ros2 launch ami_ros NAME.launch.py ARGUMENTS`, in a group of its own as in a terminal."""
        file = str(REPOSITORY / "launch" / f"{name}.launch.py")
        return self._children.python("-c", LAUNCH, file, *arguments, environment=self._environment)


@pytest.fixture
def launches(children: Children, tmp_path: Path) -> Launches:
    return Launches(children, tmp_path / "prefix")


def group_is_gone(group: int) -> bool:
    """Whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_ctrl_c_ends_all_processes_cleanly(launches: Launches) -> None:
    launched = launches.start("gate")
    launched.wait_for_output("nodes are active", 60.0)
    os.killpg(launched.pid, signal.SIGINT)
    assert launched.wait() == 0, launched.output()
    wait_until(lambda: group_is_gone(launched.pid), 5.0, "end of all processes")
    assert launched.output().count("process has finished cleanly") == 2, launched.output()
    assert "Traceback" not in launched.output()


def test_killed_node_is_started_again(launches: Launches) -> None:
    launched = launches.start("gate")
    launched.wait_for_output("nodes are active", 60.0)
    [gate] = [p for p in psutil.Process(launched.pid).children() if "ami_ros.ros.nodes.safety" in p.cmdline()]
    gate.kill()
    wait_until(lambda: launched.output().count("nodes are active") == 2, 60.0, launched.output)


def test_rviz_in_a_namespace_looks_at_the_robot_in_it(launches: Launches, tmp_path: Path) -> None:
    """As Nav2 starts it: in the namespace, with its /tf, by relative topics. The file names the robot's frames."""
    prefix, robot = tmp_path / "prefix", tmp_path / "r1.yaml"
    (prefix / "share" / "ament_index" / "resource_index" / "packages" / "rviz2").touch()
    rviz = prefix / "lib" / "rviz2" / "rviz2"
    rviz.parent.mkdir()
    rviz.write_text(f'#!/bin/sh\ncp "$2" {tmp_path}/seen.rviz\nprintf "%s " "$@" > {tmp_path}/arguments\n')
    rviz.chmod(0o755)
    frames = "frames: {base: r1/base, odom: r1/odom, map: r1/map}"
    described = (REPOSITORY / "config" / "robots" / "ami_bot.yaml").read_text()
    robot.write_text(described.replace("frames: {base: base_link, odom: odom, map: map}", frames))
    launched = launches.start("sim", "headless:=false", "namespace:=r1", f"robot:={robot}", "scan_topic:=lidar")
    wait_until((tmp_path / "arguments").is_file, 60.0, launched.output)
    wait_until(lambda: "-r /tf_static" in (tmp_path / "arguments").read_text(), 5.0, launched.output)
    arguments = (tmp_path / "arguments").read_text()
    for rule in ("__ns:=/r1", "scan:=lidar", "/tf:=tf", "/tf_static:=tf_static"):
        assert f"-r {rule} " in arguments, arguments
    manager = yaml.safe_load((tmp_path / "seen.rviz").read_text())["Visualization Manager"]
    assert manager["Global Options"]["Fixed Frame"] == "r1/map"
    assert manager["Views"]["Current"]["Target Frame"] == "r1/base"
    topics = [(d.get("Topic") or d.get("Description Topic", {})).get("Value", "") for d in manager["Displays"]]
    topics += [tool["Topic"]["Value"] for tool in manager["Tools"] if "Topic" in tool]
    assert "goal_pose" in topics and not [topic for topic in topics if topic.startswith("/")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nodes_end_with_a_launch_that_is_killed_and_leave_no_temporary_folders(
    launches: Launches, number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    launched = launches.start("gate")
    launched.wait_for_output("nodes are active", 60.0)
    assert [path.name for path in scratch.glob("ami_ros_launch_*")]
    launched.send(number)
    launched.wait()
    wait_until(lambda: group_is_gone(launched.pid), 20.0, "end of all processes")
    wait_until(lambda: not list(scratch.glob("ami_*")), 20.0, launched.output)


def test_node_that_cannot_start_ends_the_launch_as_failed(launches: Launches, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(dump_yaml({"/**": {"safety": {"ros__parameters": {"gate.margin": -1.0}}}}))
    launched = launches.start("gate", f"params_file:={wrong}")
    assert launched.wait(60.0) != 0, launched.output()
    wait_until(lambda: group_is_gone(launched.pid), 5.0, "end of all processes")
    assert "safety" in launched.output() and "Traceback" not in launched.output()
