"""Writes docs/reference.md and the graph of README.md from the code: `./ami shell python test/harness/reference.py`.

Topics come from the description of the graph (a test holds the nodes to it), parameters from the dataclasses that the
nodes declare, launch arguments from the same description that the launch files use. A test compares what is written.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ami_ros.bench.report import table
from ami_ros.bench.scenario import KINDS as SCENARIO_KINDS
from ami_ros.bench.scenario import kind_class
from ami_ros.cli.commands import COMMANDS
from ami_ros.core.config import field_comments
from ami_ros.core.robots.description import (
    Braking,
    CommandTopic,
    Drive,
    FrameNames,
    Limits,
    RobotDescription,
    Shape,
    Simulated,
    Speeds,
)
from ami_ros.core.robots.sensors import KINDS, Pose3
from ami_ros.ros.interfaces import INTERFACES
from ami_ros.ros.node.parameters import Change, Described, describe, group_of
from ami_ros.ros.nodes.command_timeout import CommandTimeoutParameters
from ami_ros.ros.nodes.gazebo_bridge import GazeboBridgeParameters
from ami_ros.ros.nodes.gazebo_world import GazeboWorldParameters
from ami_ros.ros.nodes.loopback import LoopbackParameters
from ami_ros.ros.nodes.memory import MemoryParameters
from ami_ros.ros.nodes.mission import MissionParameters
from ami_ros.ros.nodes.perception import PerceptionParameters
from ami_ros.ros.nodes.planner import PlannerParameters
from ami_ros.ros.nodes.safety import SafetyParameters
from ami_ros.ros.nodes.sharing import SharingParameters
from ami_ros.ros.nodes.simulator import SimulatorParameters
from ami_ros.ros.nodes.supervisor import SupervisorParameters
from ami_ros.ros.nodes.world_model import WorldModelParameters
from ami_ros.ros.start.graph import STACK, declared
from ami_ros.world_model.learning.extract import ExtractConfig
from ami_ros.world_model.learning.trainer import TrainingConfig

REPOSITORY = Path(__file__).resolve().parents[2]
ASKED = ("goal_pose", "initialpose", "keep_out_areas")  # topics that programs and people send
ROBOT = "robot"  # what no node of ours publishes
PARAMETERS: dict[str, type[Any]] = {
    "perception": PerceptionParameters,
    "world_model": WorldModelParameters,
    "memory": MemoryParameters,
    "planner": PlannerParameters,
    "mission": MissionParameters,
    "safety": SafetyParameters,
    "supervisor": SupervisorParameters,
    "sharing": SharingParameters,
    "simulator": SimulatorParameters,
    "loopback": LoopbackParameters,
    "command_timeout": CommandTimeoutParameters,
    "gazebo_bridge": GazeboBridgeParameters,
    "gazebo_world": GazeboWorldParameters,
}
ROBOT_PARTS: dict[str, type[Any]] = {
    "robot": RobotDescription,
    "shape": Shape,
    "drive": Drive,
    "limits": Limits,
    "planned": Speeds,
    "braking": Braking,
    "command": CommandTopic,
    "frames": FrameNames,
    "simulated": Simulated,
    **{f"sensors, kind: {kind}": cls for kind, cls in KINDS.items()},
    "mount": Pose3,
}
CONFIGURATIONS: dict[str, type[Any]] = {"train": TrainingConfig, "extract": ExtractConfig}
LAUNCH_FILES = ("bringup", "sim", "demo", "gate")

HEADER = ("parameter", "default", "allowed", "while it runs", "what")
CHANGES: dict[Change, str] = {"no": "", "free": "yes", "lower": "lower", "higher": "higher"}
MEANINGS = {  # what each topic, action and service is for
    "image": "camera pictures",
    "camera_info": "the camera's intrinsics",
    "scan": "laser scan, in any frame that is fixed to the robot; without a laser perception makes it",
    "depth": "pictures of a depth camera, 16UC1 [mm] or 32FC1 [m]; what perception and gate see of them: safety.md",
    "depth_info": "the depth camera's intrinsics",
    "odom": "wheel odometry; its origin may be anywhere and it may drift",
    "battery_state": "charge; exploring returns when it is low",
    "cmd_vel": "what the robot shall do; the safety gate has passed it",
    "cmd_vel_raw": "what the planner wants; goes to the safety gate only",
    "ground_truth": "true pose in the simulator's frame; for evaluation, nothing of the stack listens",
    "/clock": "simulated time",
    "latent": "what the robot perceives, as the model's vector",
    "model_info": "which model is loaded (latched)",
    "surprise": "how far the last moment was from its prediction",
    "adaptation": "what the model has learned since it was trained (latched)",
    "location": "where the robot believes it is in its memory, and how sure it is",
    "places": "remembered places and the ways between them, as markers (latched)",
    "place_graph": "the same with their ids, how often a way was driven and how often it failed (latched)",
    "initialpose": "where the robot is, as RViz says it with 2D Pose Estimate, in the memory's frame",
    "goal_pose": "a goal, as RViz sends it, in any frame that transforms lead to",
    "moving_things": "people and other things that move, as a tracker says",
    "keep_out_areas": "circles that somebody painted on the console, in the memory's frame (latched)",
    "attention": "whether the planner compares pictures; without, latents carry no codes of them (latched)",
    "keep_away": "circles that the robot shall keep out of (latched)",
    "people": "the same as markers; made while somebody listens",
    "plan": "poses that the robot expects to pass",
    "planner/state": "state, error, energy, rate, at the control rate",
    "planner/rollout": "the imagined future that is followed; made while somebody listens",
    "imagined": "that future as arrows, some of the others as lines; made while somebody listens",
    "goal": "where the goal is believed to be (latched)",
    "goal_markers": "the same as markers, with what the robot does about it (latched)",
    "goal_picture/compressed": "the picture that is the goal (latched)",
    "map": "what is free and what stands, by the lasers of all places; drawn again while somebody listens (latched)",
    "map_updates": "the cells that changed, while all listeners to the map hear them; needs map_msgs",
    "keep_out_mask": "a map of whose occupied cells the robot keeps out, if a file was given (latched)",
    "pose": "where the robot believes to be, while it is localised",
    "footprint": "the robot's outline as the gate knows it",
    "robot_description": "the simulated robot as URDF (latched)",
    "planner/decision": "the behaviour that decides, and in words what the robot does and why (latched)",
    "planner/costs": "what each cost said about the plan, and which one decided; made while somebody listens",
    "mission/decision": "in words: which goal a mission is at and why (latched)",
    "emergency_stop": "true: the robot stands until `safety/release`; false changes nothing",
    "safety/emergency_stop": "the robot stands, until it is released",
    "safety/release": "ends an emergency stop; commands from before do not come back",
    "heartbeat": "signs of life of all nodes: state, process, why a transition failed",
    "supervisor/state": "a line and a code: whether all nodes are active; while one is not, the robot stands",
    "safety/status": "why the gate changed a command, empty when it did not, and which guarantee acted (latched)",
    "simulator/contacts": "how often the robot has begun to touch something",
    "navigate_to_goal": "drive to a picture, pose, place or latent",
    "run_mission": "several goals one after the other, all of them by the shortest way, or exploring",
    "world_model/predict": "what would happen if these commands were sent",
    "world_model/adaptation": "go on learning while driving, freeze it, revert it, or keep what was learned",
    "memory/find_route": "the places to pass on the way to a goal",
    "memory/recall": "find places by label, picture, likeness, position or time, and any combination",
    "memory/remember": "label the place where the robot is",
    "memory/forget": "erase places",
    "memory/save": "write a copy of the memory to a file of its folder",
    "memory/load": "start over with a saved memory",
    "memory/merge": "add another robot's memory, where both know the same surroundings",
    "memory/statistics": "how much is remembered, and how large it is",
    "simulator/reset": "robot at rest, odometry at a new random origin",
    "simulator/place_robot": "put the robot somewhere; odometry goes on (a kidnapping)",
    "simulator/set_door": "open or close a door",
    "simulator/photograph": "the picture that the camera would take at a pose",
}


def reference() -> str:
    """The text of docs/reference.md."""
    parts = [
        "# Reference",
        "Generated from the code by `./ami shell python test/harness/reference.py`; `test/cli/test_reference.py` fails "
        "when it is out of date.",
        "Names are relative, so a namespace moves all of them; those with a node's name in front are the node's own "
        "(`~/`). Units are SI, axes REP-103, frames REP-105.",
        "## Commands",
        commands(),
        "Each has `--help`.",
        "## Topics",
        topics(),
        "Every node also publishes `/diagnostics`. `loopback` has the topics and services of `simulator`, under its "
        "own name. With `tf2_msgs`, `simulator` and `memory` publish `/tf` (odom -> base_link, map -> odom). `safety`, "
        "`planner` and `mission` then subscribe to `/tf_static` for the scanner, and the last two to `/tf` for goals.",
        "## Services and actions",
        services(),
        "What goes in and out, with units and error codes, is in the comments of the files in "
        "[ami_interfaces](../ami_interfaces).",
        "## Launch arguments",
        launch_arguments(),
        "## Robots",
        "A robot is a YAML file, of config/robots by its name or any by its path: `robot:=` of launch files, `--robot` "
        "of commands. Its keys are those of `robot`; each group, and each kind of sensor, has a table of its own.",
        *(part for title, cls in ROBOT_PARTS.items() for part in (f"### {title}", robot_fields(cls))),
        "## Parameters",
        "An unknown parameter, a wrong type or a value out of range ends the node with one line. The column `while it "
        "runs` says what `ros2 param set` may change. `lower` and `higher` mean that the value may not go beyond the "
        "one at start, because others rely on it. All other parameters are read-only. The planner's `patience` and "
        "`navigator` count from the next goal on. The mission's `exploration` counts from the next mission on.",
        "Each node also has `use_sim_time` and `autostart`. With `autostart` a node configures and activates itself. "
        "The launch files turn it off and leave that to `supervisor`. With `autostart:=false` they leave it to a "
        "lifecycle manager such as Nav2's. Values are read from the robot, config/params.yaml and `params_file`, in "
        "this order.",
    ]
    for node, cls in PARAMETERS.items():
        parts += [f"### {node}", *parameter_tables(cls)]
    parts += [
        "## Training and extraction",
        "Values that `--set key=value` replaces, of `./ami train` (presets differ from these defaults in some) "
        "and of `./ami extract`. An unknown key or a wrong type is refused.",
    ]
    for command, cls in CONFIGURATIONS.items():
        parts += [f"### {command}", *parameter_tables(cls)]
    parts += [
        "## Scenarios",
        "Options of each kind of scenario: in its file under `options`, or `./ami bench SCENARIO --KEY VALUE`.",
    ]
    for kind in SCENARIO_KINDS:
        parts += [f"### scenario, kind: {kind}", robot_fields(kind_class(kind))]
    return "\n\n".join(parts) + "\n"


def robot_fields(cls: type[Any]) -> str:
    """The fields of a part of a robot's description or of a kind of scenario, those of its bases first."""
    comments, rows = field_comments(cls), []
    for field in dataclasses.fields(cls):
        is_needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = "" if field.default in (dataclasses.MISSING, None, ()) else field.default
        rows.append((f"`{field.name}`", "required" if is_needed else str(default), comments[field.name]))
    return table(("key", "default", "what"), rows)


def parameter_tables(cls: type[Any]) -> list[str]:
    """One table for the parameters of `cls`, and one below a heading for each group of them."""
    parts: list[str] = []
    described = {parameter.name: parameter for parameter in describe(cls)}
    changes = any(parameter.change != "no" for parameter in described.values())
    for prefix, group in _groups(cls):
        if prefix:
            summary = (group.__doc__ or "").strip().splitlines()[0]
            parts.append(f"`{prefix}*`: {summary}")
        if prefix.endswith("NAME."):  # of named groups, none of which is there
            described |= {f"{prefix}{one.name}": one for one in describe(group)}
        rows = [*_rows(group, prefix, described)]
        keep = [k for k, _ in enumerate(HEADER) if changes or HEADER[k] != HEADER[3]]
        parts.append(table([HEADER[k] for k in keep], [[row[k] for k in keep] for row in rows]))
    return parts


def parameter_names(cls: type[Any], given: dict[str, Any] | None = None) -> list[str]:
    """All parameters of `cls`, with the names of their groups; and of the groups that `given` values name."""
    return [parameter.name for parameter in describe(cls, given)]


def _groups(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, type[Any]]]:
    yield prefix, cls
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if (named := group_of(hints[field.name])) is not None:
            yield from _groups(named, f"{prefix}NAME.")
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _groups(hints[field.name], f"{prefix}{field.name}.")


def _rows(cls: type[Any], prefix: str, described: Mapping[str, Described]) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name = f"{prefix}{field.name}"
        if name not in described:  # a group
            continue
        one = described[name]
        what = f"[{one.unit}] {one.doc}" if one.unit else one.doc
        yield f"`{name}`", _text(one.default), _allowed(hints[field.name], field), CHANGES[one.change], what


def _allowed(hint: Any, field: dataclasses.Field[Any]) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    limits = field.metadata.get("limits")
    return f"{limits[0]:,} to {limits[1]:,}" if limits else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "empty"


def readme(text: str) -> str:
    """README.md with the graph of nodes in `text` made anew.

    Raises:
        ValueError: its two comments are not there.
    """
    found = re.search(r"(<!-- graph:.*-->\n)(.*?)(<!-- end -->)", text, re.DOTALL)
    if found is None:
        raise ValueError("README.md has no '<!-- graph: ... -->' and '<!-- end -->' for the graph of nodes")
    return f"{text[: found.end(1)]}{graph()}\n{text[found.start(3) :]}"


def commands() -> str:
    """The commands of `./ami`."""
    return table(("command", "what it does"), [(f"`./ami {c.name}`", c.summary) for c in COMMANDS])


def topics() -> str:
    """Every topic, who publishes it and who listens."""
    published: dict[tuple[str, str], str] = {}
    for node, topic, kind in _links("publishes"):
        published.setdefault((topic, kind), node)
    for _, topic, kind in _links("subscribes"):
        published.setdefault((topic, kind), "every node" if topic == "heartbeat" else ROBOT)
    listeners: dict[str, list[str]] = {}
    for node, topic, _ in _links("subscribes"):
        listeners.setdefault(topic, []).append(node)
    rows = [
        (f"`{topic}`", f"`{kind}`", node, ", ".join(listeners.get(topic, ())), MEANINGS[topic])
        for (topic, kind), node in published.items()
    ]
    return table(("topic", "type", "from", "to", "what"), rows)


def services() -> str:
    """Every service and action."""
    rows = [
        (f"`{name}`", kind_of, f"`{kind}`", MEANINGS[name])
        for kind_of, field in (("action", "actions"), ("service", "services"))
        for _, name, kind in _links(field)
    ]
    return table(("name", "", "type", "what"), rows)


def graph() -> str:
    """The nodes and the topics between them, as a Mermaid diagram."""
    publisher: dict[str, str] = {}
    for node, topic, _ in _links("publishes"):
        publisher.setdefault(topic, node)
    edges: dict[tuple[str, str], list[str]] = {}
    for node, topic, _ in _links("subscribes"):
        if topic == "heartbeat":  # of all
            continue
        source = "client" if topic in ASKED else publisher.get(topic, "simulator")
        edges.setdefault((source, node), []).append(topic)
    lines = ["```mermaid", "flowchart LR", '  client(["your program"])', '  simulator["robot, or simulator"]']
    lines += [f"  {node}[{node}]" for node in (*STACK, "supervisor")]
    lines += [f'  {start} -->|"{", ".join(names)}"| {stop}' for (start, stop), names in edges.items()]
    lines += ['  client -.->|"navigate_to_goal"| planner', '  planner -.->|"find_route"| memory']
    lines += ['  client -.->|"run_mission"| mission', '  mission -.->|"navigate_to_goal"| planner']
    lines += ['  mission -.->|"find_route"| memory', "```"]
    return "\n".join(lines)


def launch_arguments() -> str:
    """The arguments of the launch files, with their defaults."""
    calls = {name: _launch_call(REPOSITORY / "launch" / f"{name}.launch.py") for name in LAUNCH_FILES}
    rows: dict[str, tuple[str, str, str, str]] = {}
    for name, (parts, defaults) in calls.items():
        for field in declared(parts):
            default = _launch_text(field.default)
            if field.name in defaults:
                default += f" ({name}: {_launch_text(defaults[field.name])})"
            _, before, files, _ = rows.get(field.name, ("", "", "", ""))
            rows[field.name] = (
                f"`{field.name}`",
                max(before, default, key=len),
                f"{files}, {name}".removeprefix(", "),
                field.metadata["doc"],
            )
    return table(("argument", "default", "of", "what"), rows.values())


def _links(field: str) -> Iterator[tuple[str, str, str]]:
    """Node, full name and type of everything in one field of the description; of the robots only the simulator."""
    for node in ("simulator", *STACK, "supervisor"):
        for name, kind in getattr(INTERFACES[node], field).items():
            yield node, name.replace("~", node, 1), kind


def _launch_call(file: Path) -> tuple[Iterable[Any], dict[str, Any]]:
    """Parts and defaults that a launch file names; read, not run, for `launch` may not be installed."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "launch_description":
            defaults = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in node.keywords}
            return [ast.literal_eval(argument) for argument in node.args], defaults
    raise ValueError(f"{file} does not call launch_description")


def _launch_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> int:
    """Writes both files."""
    (REPOSITORY / "docs" / "reference.md").write_text(reference(), encoding="utf-8")
    page = REPOSITORY / "README.md"
    page.write_text(readme(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
