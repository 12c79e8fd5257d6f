"""launch/gazebo.launch.py under the real launch library, with a stand-in for the package of Gazebo's server."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from ami_ros.core.config import parse_yaml
from ami_ros.core.errors import AmiError
from harness.processes import REPOSITORY

pytest.importorskip("launch_ros", reason="the launch library is not installed here (the ROS wheels do not have it)")

SERVER = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument

def generate_launch_description():
    return LaunchDescription([DeclareLaunchArgument("gz_args"), DeclareLaunchArgument("on_exit_shutdown")])
"""


@pytest.fixture
def actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """All actions of a launch with some arguments, its processes not executed; and the launch's configuration."""
    from launch.actions import ExecuteProcess

    from launch import LaunchContext

    share = tmp_path / "share"
    packages = share / "ament_index" / "resource_index" / "packages"
    packages.mkdir(parents=True)
    for package in ("ros_gz_sim", "ros_gz_bridge", "robot_state_publisher"):
        (packages / package).touch()
    (share / "ros_gz_sim" / "launch").mkdir(parents=True)
    (share / "ros_gz_sim" / "launch" / "gz_sim.launch.py").write_text(SERVER)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setenv("GZ_SIM_RESOURCE_PATH", "/models/of/mine")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spec = importlib.util.spec_from_file_location("gazebo_launch", REPOSITORY / "launch" / "gazebo.launch.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def visit(**values: str) -> tuple[list[Any], Any]:
        context = LaunchContext()
        context.launch_configurations.update(values)
        found: list[Any] = []
        pending = list(module.generate_launch_description().entities)
        while pending:
            entity = pending.pop(0)
            found.append(entity)
            if not isinstance(entity, ExecuteProcess):  # as nodes are
                pending = [*(entity.visit(context) or []), *pending]
        return found, context

    return visit


def nodes(found: list[Any]) -> list[Any]:
    from launch_ros.actions import Node

    return [action for action in found if isinstance(action, Node)]


def test_launch_starts_server_bridges_frames_and_timeout(actions: Any) -> None:
    found, context = actions(world="two_rooms", pose="1.5 1.5 0")
    started = [(node.node_package, node.node_executable) for node in nodes(found)]
    assert started == [
        ("ros_gz_bridge", "parameter_bridge"), ("ros_gz_bridge", "parameter_bridge"),
        ("ami_ros", "command_timeout"), ("robot_state_publisher", "robot_state_publisher"),
    ]  # fmt: skip
    arguments = context.launch_configurations["gz_args"].split()
    assert arguments[0] == "-s" and "--headless-rendering" in arguments and Path(arguments[-1]).is_file()
    bridge = Path(arguments[-1]).parents[1] / "clock_bridge.yaml"
    assert [entry["ros_topic_name"] for entry in parse_yaml(bridge.read_text())] == ["/clock"]


def uninstall(prefix: Path, *packages: str) -> None:
    for package in packages:
        (prefix / "share" / "ament_index" / "resource_index" / "packages" / package).unlink()


def test_own_bridge_and_server_stand_in_for_ros_gz(
    actions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from launch.actions import ExecuteProcess

    uninstall(tmp_path, "ros_gz_sim", "ros_gz_bridge")
    (tmp_path / "gz").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found, _ = actions(world="empty", namespace="r2")
    assert [node.node_executable for node in nodes(found)][:2] == ["gazebo_bridge", "gazebo_bridge"]
    servers = [a for a in found if isinstance(a, ExecuteProcess) and a not in nodes(found)]
    assert [word[0].text for word in servers[0].cmd[:2]] == ["gz", "sim"]


def test_all_nodes_but_the_bridge_of_the_clock_take_the_time_from_it(actions: Any, tmp_path: Path) -> None:
    uninstall(tmp_path, "ros_gz_bridge")
    found, context = actions(world="empty")
    times = {}
    for node in nodes(found):
        node._perform_substitutions(context)  # writes its parameters into a file
        words = [getattr(word[0], "text", "") for word in node.cmd]
        file = words[words.index("--params-file") + 1]
        times[node.node_executable, node.node_name.rpartition("/")[2]] = "use_sim_time: true" in Path(file).read_text()
    assert [name for name, simulated in times.items() if not simulated] == [("gazebo_bridge", "clock_bridge")]
    assert len(times) == 4


def test_resource_paths_are_appended(actions: Any) -> None:
    actions(world="empty")
    first, *others = os.environ["GZ_SIM_RESOURCE_PATH"].split(os.pathsep)
    assert first == "/models/of/mine" and others == [str(REPOSITORY / "description")]


def test_window_on_request(actions: Any) -> None:
    _, context = actions(world="empty", headless="false")
    assert "-s" not in context.launch_configurations["gz_args"].split()


def test_mistake_is_said_in_one_line(actions: Any) -> None:
    with pytest.raises(AmiError, match="front has no mount"):
        actions(world="empty", robot="ackermann")


@pytest.mark.parametrize(
    ("package", "line"),
    [("ros_gz_sim", "Gazebo is not installed: neither"), ("robot_state_publisher", "robot_state_publisher is not")],
)
def test_what_is_not_installed_is_said_before_anything_starts(
    actions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, line: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    uninstall(tmp_path, package)
    with pytest.raises(AmiError, match=line):
        actions(world="empty")
