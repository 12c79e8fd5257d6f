"""Policies let nobody but the gate drive the robot, and every node do what it is described to do."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ami_ros.cli.describing import security
from ami_ros.console.listener import Listener
from ami_ros.console.scene import Scene
from ami_ros.core.robots.derived import topics
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.interfaces import INTERFACES, NODES, enclaves, policies
from ami_ros.ros.start.graph import Arguments, enclave_arguments, processes

# The form, as its designers describe it: element -> attributes it must have, and elements it may hold.
FORM: dict[str, tuple[set[str], set[str]]] = {
    "policy": ({"version"}, {"enclaves"}),
    "enclaves": (set(), {"enclave"}),
    "enclave": ({"path"}, {"profiles"}),
    "profiles": (set(), {"profile"}),
    "profile": ({"ns", "node"}, {"services", "topics", "actions"}),
    "services": ({"reply", "request"}, {"service"}),
    "topics": ({"publish", "subscribe"}, {"topic"}),
    "actions": ({"call", "execute"}, {"action"}),
}


def rights(text: str) -> dict[tuple[str, str], set[str]]:
    """(enclave, verb) -> names."""
    found: dict[tuple[str, str], set[str]] = {}
    for enclave in ET.fromstring(text.split("\n", 1)[1]).iter("enclave"):
        node = enclave.attrib["path"].rpartition("/")[2]
        for kind in ("services", "topics", "actions"):
            for group in enclave.iter(kind):
                ((verb, allowed),) = group.attrib.items()
                assert allowed == "ALLOW"
                found[node, verb] = {str(entry.text) for entry in group}
    return found


def who(found: dict[tuple[str, str], set[str]], verb: str, name: str) -> set[str]:
    return {node for (node, known), names in found.items() if known == verb and name in names}


@pytest.mark.parametrize("robot", ["ami_bot", "turtlebot4"])
@pytest.mark.parametrize("namespace", ["", "robot1"])
def test_only_the_gate_drives_and_only_planner_and_console_ask_it_to(robot: str, namespace: str) -> None:
    names = topics(load_robot(robot))
    found, prefix = rights(policies(names, namespace)), f"/{namespace}" if namespace else ""

    def full(name: str) -> str:
        name = names.get(name, name)
        return name if name.startswith("/") else f"{prefix}/{name}"

    assert who(found, "publish", full("cmd_vel")) == {
        "safety",
        "supervisor",
    }  # which sends zeros where the gate is gone
    assert who(found, "publish", full("cmd_vel_raw")) == {"planner", "console"}
    assert who(found, "publish", full("keep_out_areas")) == {"console"}
    assert who(found, "subscribe", full("cmd_vel_raw")) == {"safety", "operator", "console"}
    for topic in ("scan", "odom"):
        assert who(found, "publish", full(topic)) == {"simulator"}
    assert who(found, "publish", "/clock") == {"simulator"}
    assert who(found, "publish", full("emergency_stop")) >= {"operator"}
    assert "safety" in who(found, "reply", f"{prefix}/safety/release")


def test_scans_are_the_robots_or_of_a_robot_without_a_laser_perceptions() -> None:
    assert who(rights(policies({})), "publish", "/scan") == {"simulator"}
    assert who(rights(policies({}, scans_of_pictures=True)), "publish", "/scan") == {"perception"}


def test_transforms_are_heard_and_sent_where_nodes_in_a_namespace_have_them() -> None:
    for namespace, topic in (("", "/tf"), ("robot1", "/robot1/tf")):
        found = rights(policies({}, namespace))
        assert {"planner", "mission", "safety", "operator"} <= who(found, "subscribe", topic)
        assert {"planner", "operator"} <= who(found, "subscribe", f"{topic}_static")
        assert {"memory", "simulator"} <= who(found, "publish", topic)


def test_every_node_may_do_what_it_is_described_to_do() -> None:
    found = rights(policies(topics(load_robot("ami_bot"))))
    for node in NODES:
        described = INTERFACES[node]
        for verb, names in (
            ("publish", described.publishes),
            ("subscribe", described.subscribes),
            ("reply", described.services),
            ("execute", described.actions),
        ):
            wanted = {name.replace("~", f"/{node}") for name in names}
            assert {name if name.startswith("/") else f"/{name}" for name in wanted} <= found.get((node, verb), set())
    assert "/memory/find_route" in found["planner", "request"] & found["mission", "request"]
    assert "/navigate_to_goal" in found["mission", "call"]


def test_the_console_may_do_all_that_its_page_offers() -> None:
    found = rights(policies(topics(load_robot("ami_bot"))))
    heard = {name for name in Listener(None, Scene()).topics if "_action" not in name}
    assert {name if name.startswith("/") else f"/{name}" for name in heard} <= found["console", "subscribe"]
    asked = ("safety/emergency_stop", "safety/release", "memory/remember", "memory/recall", "planner/set_parameters")
    assert {f"/{name}" for name in asked} <= found["console", "request"]
    assert {"/navigate_to_goal", "/run_mission"} <= found["console", "call"]


def test_the_file_has_the_form_of_sros2() -> None:
    root = ET.fromstring(policies({}).split("\n", 1)[1])
    assert root.tag == "policy" and [e.attrib["path"] for e in root.iter("enclave")] == list(enclaves())
    for element in root.iter():
        if element.tag in FORM:
            attributes, inside = FORM[element.tag]
            if element.tag in ("services", "topics", "actions"):
                assert len(element.attrib) == 1 and set(element.attrib) <= attributes
            else:
                assert set(element.attrib) == attributes
            assert {child.tag for child in element} <= inside and len(element)
        else:
            assert str(element.text).startswith("/")


def test_the_command_writes_policies_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    security(tmp_path / "security", "ami_bot", "")
    assert rights((tmp_path / "security" / "policies.xml").read_text())
    said = capsys.readouterr().out
    assert "ROS_SECURITY_ENABLE=true" in said and "security" in said


def test_with_security_each_process_has_its_enclave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    specs = processes(Arguments(), ("stack",))
    assert all("--enclave" not in spec.ros_arguments(tmp_path) for spec in specs)
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    for spec in specs:
        arguments = spec.ros_arguments(tmp_path)
        assert arguments[arguments.index("--enclave") + 1] == f"/ami_ros/{spec.executable}" in enclaves()
    assert enclave_arguments("console") == ["--ros-args", "--enclave", "/ami_ros/console"]


@pytest.mark.parametrize(("robot", "allowed"), [("realsense", {"perception", "safety"}), ("ami_bot", set())])
def test_who_makes_something_of_depth_may_hear_it(robot: str, allowed: set[str]) -> None:
    found = rights(policies(topics(load_robot(robot)), scans_of_pictures=robot == "realsense"))
    for name in ("/camera/depth/image_rect_raw", "/camera/depth/camera_info"):
        assert who(found, "subscribe", name) == allowed
        assert who(found, "publish", name) == ({"simulator"} if allowed else set())
