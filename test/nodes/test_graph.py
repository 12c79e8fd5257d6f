"""The description of the graph and the nodes agree; and the truth reaches none of the stack's nodes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ami_ros.config import from_mapping
from ami_ros.errors import AmiError
from ami_ros.nodes.loopback import LoopbackNode
from ami_ros.nodes.memory import MemoryNode
from ami_ros.nodes.mission import MissionNode
from ami_ros.nodes.perception import PerceptionNode
from ami_ros.nodes.planner import PlannerNode
from ami_ros.nodes.safety import SafetyNode
from ami_ros.nodes.simulator import SimulatorNode
from ami_ros.nodes.world_model import WorldModelNode
from ami_ros.planning.kinematics import Kinematics
from ami_ros.ros.graph import STACK, Arguments, ProcessSpec, processes
from ami_ros.ros.interfaces import INTERFACES
from ami_ros.ros.lifecycle import AmiNode
from ami_ros.safety.config import SafetyConfig
from ami_ros.world_model.checkpoint import save_model
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import InputSpec, ModelSpec
from harness.ros import RosPeer

NODES: dict[str, Callable[..., AmiNode[Any]]] = {
    "simulator": SimulatorNode,
    "loopback": LoopbackNode,
    "perception": PerceptionNode,
    "world_model": WorldModelNode,
    "memory": MemoryNode,
    "planner": PlannerNode,
    "mission": MissionNode,
    "safety": SafetyNode,
}
# What rclpy and our base class bring to every node.
COMMON = ("/parameter_events", "/rosout", "/diagnostics", "/clock", "transition_event", "/tf")
COMMON_SERVICES = ("parameter", "/change_state", "/get_", "/describe_", "/list_", "/set_", "type_description")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a small model that wants every input and has learned nothing."""
    folder = tmp_path / "model"
    inputs = InputSpec(image_size=16, scan_beams=8, heading=True)
    save_model(folder, "small", WorldModel(ModelSpec(inputs, latent_dim=4, encoder_width=16, predictor_width=16)))
    return folder


def start(ros: RosPeer, spec: ProcessSpec, node: str, folder: Path) -> AmiNode[Any]:
    """The node as its process would start it."""
    file = folder / f"{node}.yaml"
    file.write_text(spec.parameters_yaml())
    made = NODES[node](context=ros.context, cli_args=spec.ros_arguments(file))
    ros.add(made)
    made.start()
    return made


def specs(model: Path, **arguments: Any) -> dict[str, ProcessSpec]:
    found = processes(Arguments(world="empty", model=str(model), **arguments), ("simulation", "stack"))
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
    spec = specs(model).get(node) or specs(model)["simulator"]
    if node == "loopback":
        made = LoopbackNode(context=ros.context)
        ros.add(made)
        made.start()
    else:
        start(ros, spec, node, model)
    peer = ros.node
    ros.spin_until(lambda: any(n == node for n in peer.get_node_names()))
    wanted = {k: v for k, v in described.publishes.items() if k != "/clock"}
    ros.spin_until(lambda: own(peer.get_publisher_names_and_types_by_node(node, "/"), node, COMMON) == wanted)
    ros.spin_until(
        lambda: own(peer.get_subscriber_names_and_types_by_node(node, "/"), node, COMMON) == described.subscribes
    )
    services = own(peer.get_service_names_and_types_by_node(node, "/"), node, ())
    assert {n: t for n, t in services.items() if n in described.services} == described.services
    topics = dict(peer.get_topic_names_and_types(no_demangle=True))
    for action in described.actions:
        assert f"rt/{action}/_action/status" in topics


def test_no_node_of_the_stack_listens_to_the_truth() -> None:
    assert not any("ground_truth" in INTERFACES[node].subscribes for node in STACK)


def test_namespace_and_remappings_reach_the_node(ros: RosPeer, model: Path) -> None:
    spec = specs(model, namespace="robot1", cmd_vel_topic="base/cmd")["safety"]
    node = start(ros, spec, "safety", model)
    assert node.get_namespace() == "/robot1"
    assert "/robot1/base/cmd" in dict(node.get_publisher_names_and_types_by_node("safety", "/robot1"))
    assert (
        node.resolve_topic_name("/tf") == "/robot1/tf" and node.resolve_topic_name("/tf_static") == "/robot1/tf_static"
    )


def test_parameters_of_arguments_files_and_cameras_stack_up(ros: RosPeer, model: Path, tmp_path: Path) -> None:
    own_file = tmp_path / "own.yaml"
    own_file.write_text(yaml.safe_dump({"/**/simulator": {"ros__parameters": {"noise_scale": 0.5, "seed": 5}}}))
    spec = specs(model, camera="ceiling", params_file=str(own_file), seed=7)["simulator"]
    node = start(ros, spec, "simulator", model)
    values = {name: node.get_parameter(name).value for name in ("camera", "noise_scale", "seed", "sensor_rate")}
    assert values == {"camera": "ceiling", "noise_scale": 0.5, "seed": 7, "sensor_rate": 10.0}


def test_composed_stack_is_one_process_with_the_parameters_of_all(model: Path) -> None:
    spec = specs(model, composed=True)["composed"]
    assert set(spec.parameters) == set(STACK) and set(specs(model, composed=True)) == {"simulator", "composed"}


def test_mission_under_way_lies_beside_the_memory_that_is_kept(model: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "home.memory")
    parameters = specs(model, memory_file=file)["mission"].parameters["mission"]
    assert parameters["mission_file"] == f"{file}.mission"
    assert "mission_file" not in specs(model, memory_file=file, keep_memory=False)["mission"].parameters["mission"]


def test_every_executable_is_a_module_with_a_main(model: Path) -> None:
    for composed in (False, True):
        for name in specs(model, composed=composed):
            assert callable(importlib.import_module(f"ami_ros.nodes.{name}").main)


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
    [({"camera": "thermal"}, "known are ceiling, onboard"), ({"params_file": "/no"}, "no such file")],
)
def test_missing_file_or_camera_is_refused(model: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(AmiError, match=words):
        specs(model, **arguments)


@pytest.mark.parametrize("drive", ["differential", "ackermann", "omnidirectional"])
def test_one_argument_tells_planner_gate_and_simulator_how_the_robot_drives(drive: str) -> None:
    """The files have what the nodes know, and those of a user come above them."""
    (spec,) = processes(Arguments.parse({"drive": drive}), ("simulation",))
    values = yaml.safe_load(Path(spec.parameter_files[-1]).read_text())
    planner = values["/**/planner"]["ros__parameters"]["navigator"]["planner"]["kinematics"]
    assert planner["drive"] == drive == from_mapping(Kinematics, planner, "kinematics").drive
    gate = values.get("/**/safety", {"ros__parameters": {"gate": {}}})["ros__parameters"]["gate"]
    assert (from_mapping(SafetyConfig, gate, "gate").max_lateral > 0) == (drive == "omnidirectional")
    assert values.get("/**/simulator") == (
        {"ros__parameters": {"drive": drive}} if drive == "omnidirectional" else None
    )


@pytest.mark.parametrize(
    ("drive", "folder"), [("differential", "onboard"), ("ackermann", "onboard"), ("omnidirectional", "omnidirectional")]
)
def test_without_a_model_that_of_camera_and_drive_is_taken(drive: str, folder: str) -> None:
    parameters = {s.executable: s.parameters for s in processes(Arguments.parse({"drive": drive}), ("stack",))}
    assert Path(parameters["planner"]["planner"]["model"]).name == folder
