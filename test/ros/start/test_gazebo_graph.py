"""The processes that take the place of our own simulator."""

from __future__ import annotations

from pathlib import Path

from ami_ros.core.config import parse_yaml
from ami_ros.core.robots.derived import topics
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.start.gazebo import NODES, Gazebo, gazebo_environment, gazebo_processes, write_files
from ami_ros.ros.start.graph import Arguments, processes

GAZEBO = Gazebo("/opt/x/bin/gz", {"GZ_CONFIG_PATH": "/opt/x/share/gz"}, "8.14.0")


def test_server_bridges_and_timeout_stand_in_for_the_simulator(tmp_path: Path) -> None:
    arguments = Arguments(use_sim_time=True, world="two_rooms")
    files = write_files(tmp_path, "two_rooms", "ami_bot", photographer=True, real_time_factor=0.5)
    found = gazebo_processes(GAZEBO, files, arguments)
    assert [spec.name for spec in found] == ["gazebo", *NODES]
    assert found[0].program[:2] == ("/opt/x/bin/gz", "sim") and found[0].program[-1] == str(files.world)
    names = {spec.name for spec in processes(arguments, ("stack",))}
    assert not names & {spec.name for spec in found}
    world = files.world.read_text()
    assert "gpu_lidar" in world and "<real_time_factor>0.5<" in world
    for spec in found[1:]:
        own = parse_yaml(Path(spec.files(tmp_path)[-1]).read_text())[f"/**/{spec.name}"]["ros__parameters"]
        assert own["autostart"] and own.get("use_sim_time", False) is (spec.name != "clock_bridge")
    assert "__node:=clock_bridge" in found[1].ros_arguments(tmp_path)


def test_each_domain_has_a_gazebo_of_its_own() -> None:
    one, other = (gazebo_environment(GAZEBO, domain) for domain in (3, 4))
    assert one["GZ_PARTITION"] != other["GZ_PARTITION"] and one["GZ_CONFIG_PATH"] == "/opt/x/share/gz"


def test_topics_of_any_robot_are_those_that_the_stack_beside_a_simulator_has(tmp_path: Path) -> None:
    robot = "turtlebot3_waffle_pi"
    files = write_files(tmp_path, "two_rooms", robot, photographer=True)
    bridge = gazebo_processes(GAZEBO, files, Arguments(use_sim_time=True, robot=robot, world="two_rooms"))[2]
    described = topics(load_robot(robot))
    assert described["image"] != "image" and bridge.remappings[described["image"]] == "image"
