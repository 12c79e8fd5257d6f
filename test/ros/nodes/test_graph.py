"""The description of the graph and the nodes agree; and the truth reaches none of the stack's nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged, share
from ami_ros.core.robots.derived import topics
from ami_ros.core.robots.description import load_robot, robot_file
from ami_ros.ros.interfaces import INTERFACES
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.nodes.command_timeout import CommandTimeoutNode
from ami_ros.ros.nodes.loopback import LoopbackNode
from ami_ros.ros.nodes.memory import MemoryNode
from ami_ros.ros.nodes.mission import MissionNode
from ami_ros.ros.nodes.perception import PerceptionNode
from ami_ros.ros.nodes.planner import PlannerNode
from ami_ros.ros.nodes.safety import SafetyNode
from ami_ros.ros.nodes.sharing import SharingNode
from ami_ros.ros.nodes.simulator import SimulatorNode
from ami_ros.ros.nodes.supervisor import SupervisorNode
from ami_ros.ros.nodes.world_model import WorldModelNode
from ami_ros.ros.start.graph import STACK, Arguments, ProcessSpec, processes
from harness.ros import RosPeer
from harness.small_model import save_small_model

NODES: dict[str, Callable[..., AmiNode[Any]]] = {
    "simulator": SimulatorNode,
    "loopback": LoopbackNode,
    "command_timeout": CommandTimeoutNode,
    "perception": PerceptionNode,
    "world_model": WorldModelNode,
    "memory": MemoryNode,
    "planner": PlannerNode,
    "mission": MissionNode,
    "safety": SafetyNode,
    "sharing": SharingNode,
    "supervisor": SupervisorNode,
}
PARTS: tuple[Any, ...] = ("simulation", "stack")
# What rclpy and our base class bring to every node.
COMMON = ("/parameter_events", "/rosout", "/diagnostics", "/bond", "/clock", "transition_event", "/tf")
COMMON_SERVICES = ("parameter", "/change_state", "/get_", "/describe_", "/list_", "/set_", "type_description")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a small model that wants every input and has learned nothing."""
    return save_small_model(tmp_path / "model", field_of_view=1.2)


@pytest.fixture
def plain_model(tmp_path: Path) -> Path:
    """The folder of a small model that any camera and laser will do for."""
    return save_small_model(tmp_path / "plain")


def start(ros: RosPeer, spec: ProcessSpec, node: str, folder: Path) -> AmiNode[Any]:
    """The node as its process would start it; a memory that uses scans, whatever the model."""
    more = {"memory__front_end__use": "always"} if node == "memory" else {}
    return ros.start(NODES[node], spec.ros_arguments(folder), autostart=True, **more)


def specs(folder: Path, **arguments: Any) -> dict[str, ProcessSpec]:
    found = processes(Arguments(**{"world": "empty", "robot": "ami_bot", "model": str(folder)} | arguments), PARTS)
    return {spec.executable: spec for spec in found}


def own(found: list[tuple[str, list[str]]], node: str, common: tuple[str, ...]) -> dict[str, str]:
    """Names as in the description, without those that every node has."""
    named = {}
    for name, types in found:
        if "/_action/" not in name and not any(part in name for part in common):
            named[name.replace(f"/{node}/", "~/").removeprefix("/")] = types[0]
    return named


@pytest.mark.parametrize("node", sorted(NODES))
def test_node_has_the_topics_services_and_actions_that_are_described(ros: RosPeer, model: Path, node: str) -> None:
    described = INTERFACES[node]
    found = specs(model, site="here", memory_file=str(model / "home.memory")) if node == "sharing" else specs(model)
    spec = found.get(node) or found["simulator"]
    if node == "loopback":
        ros.start(LoopbackNode)
    else:
        start(ros, spec, node, model)
    peer = ros.node
    ros.spin_until(lambda: any(n == node for n in peer.get_node_names()))
    wanted = {k.removeprefix("/"): v for k, v in described.publishes.items() if k != "/clock"}
    heard = {k.removeprefix("/"): v for k, v in described.subscribes.items()}
    ros.spin_until(
        lambda: own(peer.get_publisher_names_and_types_by_node(node, "/"), node, (*COMMON, "/heartbeat")) == wanted
    )
    ros.spin_until(lambda: own(peer.get_subscriber_names_and_types_by_node(node, "/"), node, COMMON) == heard)
    services = own(peer.get_service_names_and_types_by_node(node, "/"), node, ())
    assert {n: t for n, t in services.items() if n in described.services} == described.services
    topics = dict(peer.get_topic_names_and_types(no_demangle=True))
    for action in described.actions:
        assert f"rt/{action}/_action/status" in topics


def test_no_node_of_the_stack_listens_to_the_truth() -> None:
    assert not any("ground_truth" in INTERFACES[node].subscribes for node in STACK)


@pytest.mark.fault("scanner's transforms in a namespace")
def test_namespace_and_remappings_reach_the_node(ros: RosPeer, model: Path) -> None:
    spec = specs(model, namespace="robot1", cmd_vel_topic="base/cmd")["safety"]
    node = start(ros, spec, "safety", model)
    assert node.get_namespace() == "/robot1"
    assert "/robot1/base/cmd" in dict(node.get_publisher_names_and_types_by_node("safety", "/robot1"))
    assert (
        node.resolve_topic_name("/tf") == "/robot1/tf" and node.resolve_topic_name("/tf_static") == "/robot1/tf_static"
    )


def test_parameters_of_robot_files_and_arguments_stack_up(ros: RosPeer, model: Path, tmp_path: Path) -> None:
    own_file = tmp_path / "own.yaml"
    settings = {"/**/simulator": {"noise_scale": 0.5, "seed": 5}, "/**/safety": {"gate": {"max_linear": 0.2}}}
    own_file.write_text(yaml.safe_dump({node: {"ros__parameters": values} for node, values in settings.items()}))
    found = specs(model, params_file=str(own_file), seed=7)
    node = start(ros, found["simulator"], "simulator", model)
    values = {name: node.get_parameter(name).value for name in ("robot", "noise_scale", "seed")}
    assert values == {"robot": str(robot_file("ami_bot")), "noise_scale": 0.5, "seed": 7}
    gate = start(ros, found["safety"], "safety", model)
    assert gate.get_parameter("gate.max_linear").value == 0.2, "the file is above the robot"
    assert gate.get_parameter("gate.robot_radius").value == 0.18 and gate.get_parameter("rate").value == 20.0


def test_composed_stack_is_one_process_with_the_parameters_of_all(model: Path) -> None:
    found = specs(model, composed=True)
    assert set(found["composed"].parameters) == set(STACK) and set(found) == {"simulator", "composed", "supervisor"}


def test_the_gate_alone_hears_commands_where_it_is_told_and_needs_no_model() -> None:
    found = processes(Arguments(cmd_vel_in_topic="cmd_vel_smoothed"), ("gate",))
    assert [spec.executable for spec in found] == ["safety", "supervisor"]
    assert found[0].remappings["cmd_vel_raw"] == "cmd_vel_smoothed" and found[0].parameters["safety"]["supervised"]
    assert found[1].parameters["supervisor"]["nodes"] == ["safety"] and all(spec.respawn for spec in found)
    (alone,) = processes(Arguments(autostart=False), ("gate",))
    assert not alone.parameters["safety"]["supervised"] and "cmd_vel_raw" not in alone.remappings


def test_mission_under_way_lies_beside_the_memory_that_is_kept(model: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "home.memory")
    parameters = specs(model, memory_file=file)["mission"].parameters["mission"]
    assert parameters["mission_file"] == f"{file}.mission"
    assert "mission_file" not in specs(model, memory_file=file, keep_memory=False)["mission"].parameters["mission"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"wrld": "home"}, "unknown key 'wrld'"),
        ({"composed": "yes"}, "composed must be true or false"),
        ({"seed": "many"}, "seed must be a number"),
        ({"log_level": "loud"}, "is not one of debug"),
    ],
)
def test_bad_argument_is_refused(values: dict[str, str], words: str) -> None:
    with pytest.raises(AmiError, match=words):
        Arguments.parse(values)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"robot": "r2d2"}, "no robot 'r2d2': known are"),
        ({"params_file": "/no"}, "no such file"),
        ({"model": "/no"}, r"model /no: config\.yaml is missing"),
        ({"robot": "ami_bot_omnidirectional"}, "does not fit robot ami_bot_omnidirectional: its commands have 2"),
    ],
)
def test_missing_file_and_robot_that_does_not_fit_are_refused(
    model: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(AmiError, match=words):
        specs(model, **arguments)


@pytest.mark.parametrize("name", sorted(packaged("config/robots")))
def test_every_robot_has_parameters_that_its_nodes_take(ros: RosPeer, name: str, tmp_path: Path) -> None:
    robot = load_robot(name)
    found = {spec.executable: spec for spec in processes(Arguments(robot=name), ("stack",))}
    for node in ("safety", "mission"):
        assert start(ros, found[node], node, tmp_path).is_active
    planner = found["planner"].defaults["planner"]
    assert from_mapping(NavigatorConfig, planner["navigator"]).planner.kinematics.drive == robot.drive.kind
    for topic in ("image", "scan"):
        assert found["planner"].remappings.get(topic, topic) == topics(robot).get(topic, topic)


def test_one_argument_chooses_robot_and_model_alike() -> None:
    models = {
        "ami_bot": "onboard",
        "ami_bot_ackermann": "ackermann",
        "ami_bot_omnidirectional": "omnidirectional",
        "ami_bot_laser": "laser",
        "turtlebot3_waffle_pi": "general",
        "turtlebot4": "general",
        "differential": "general",
        "ackermann": "ackermann",
    }
    for name, model in models.items():
        parameters = {s.executable: s.parameters for s in processes(Arguments.parse({"robot": name}), ("stack",))}
        assert Path(parameters["planner"]["planner"]["model"]).name == model, name


def test_shipped_model_is_found_by_its_name_and_a_misfit_names_those_that_fit() -> None:
    found = {s.executable: s.parameters for s in processes(Arguments(model="general"), ("stack",))}
    assert found["planner"]["planner"]["model"] == str(share("models", "general"))
    with pytest.raises(
        AmiError, match=r"those of camera oakd show 42; of those that come with ami_ros, general, laser"
    ):
        processes(Arguments(robot="turtlebot4", model="onboard"), ("stack",))
    with pytest.raises(AmiError, match=r"or one of ackermann, general, laser, omnidirectional, onboard$"):
        processes(Arguments(model="generall"), ("stack",))


def test_topics_of_the_robot_are_remapped_and_arguments_go_above_them(plain_model: Path) -> None:
    arguments = Arguments(robot="turtlebot4", model=str(plain_model), scan_topic="lidar/scan")
    for spec in processes(arguments, ("simulation", "stack")):
        assert spec.remappings["image"] == "oakd/rgb/image_raw" and spec.remappings["scan"] == "lidar/scan"
        assert "odom" not in spec.remappings


def test_one_argument_makes_all_nodes_speak_the_commands_of_the_robot(plain_model: Path) -> None:
    arguments = Arguments(robot="differential", model=str(plain_model), enable_stamped_cmd_vel="false")
    found = {spec.executable: spec.defaults[spec.executable] for spec in processes(arguments, ("stack",))}
    heard = {node: values["enable_stamped_cmd_vel"] for node, values in found.items() if "stamped" in str(values)}
    assert heard == dict.fromkeys(("safety", "supervisor", "world_model", "memory", "planner"), False)
    with pytest.raises(AmiError, match="a simulated robot is as its file says"):
        processes(Arguments(enable_stamped_cmd_vel="false"), ("simulation", "stack"))


def test_compressed_images_and_all_topics_can_be_named(plain_model: Path) -> None:
    asked = {"battery_state_topic": "battery"}
    pictures = {"image_topic": "oak/rgb/image_raw/compressed", "compressed": "true"}
    arguments = Arguments.parse({"robot": "turtlebot4", "model": str(plain_model)} | asked | pictures)
    for spec in processes(arguments, ("stack",)):
        wanted = {"image": pictures["image_topic"], "camera_info": "oak/rgb/camera_info"}
        assert wanted.items() <= spec.remappings.items() and spec.remappings["battery_state"] == "battery"
        for node in {"perception", "world_model", "memory"} & set(spec.defaults):
            assert spec.defaults[node]["compressed"] is True


@pytest.mark.parametrize("name", ["ami_bot", "ami_bot_omnidirectional"])
def test_parameter_files_have_no_aliases_which_rcl_does_not_read(name: str, tmp_path: Path) -> None:
    for spec in processes(Arguments.parse({"robot": name, "composed": "true"}), ("simulation", "stack")):
        spec.ros_arguments(tmp_path)
    written = [file.read_text() for file in tmp_path.glob("*.yaml")]
    assert written and not any(isinstance(token, yaml.AliasToken) for text in written for token in yaml.scan(text))


def test_a_site_starts_a_process_beside_the_stack_that_nothing_waits_for(model: Path) -> None:
    memory = model / "home.memory"
    found = specs(model, site="ward", namespace="fleet/amr1", memory_file=str(memory))
    sharing, kept = found["sharing"].parameters["sharing"], found["memory"].parameters["memory"]
    assert sharing["autostart"] and sharing["site"] == "ward" and sharing["memory_file"] == str(memory)
    assert kept["copies"] == f"{memory}.site" and kept["robot"] == sharing["robot"] == "fleet.amr1"
    assert "sharing" not in found["supervisor"].parameters["supervisor"]["nodes"]
    assert "sharing" in specs(model, site="ward", composed=True, memory_file=str(memory))
    assert "sharing" not in specs(model, memory_file=str(memory))


@pytest.mark.parametrize("lacks", [{"memory_file": ""}, {"keep_memory": False}])
def test_a_site_without_a_memory_that_is_kept_is_refused(model: Path, lacks: dict[str, Any]) -> None:
    with pytest.raises(AmiError, match="site: what is shared is in memory_file"):
        specs(model, **{"site": "ward", "memory_file": str(model / "home.memory")} | lacks)
