"""The one graph: which parts there are, and how their ports are joined. Streams of one name are one stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from ami_ros.parts.memory import MemoryPart
from ami_ros.parts.mission import MissionPart
from ami_ros.parts.part import Part
from ami_ros.parts.perception import PerceptionPart
from ami_ros.parts.planner import PlannerPart
from ami_ros.parts.ports import BATTERY, CMD_VEL, DEPTH, EMERGENCY_STOP, IMAGE, INITIAL_POSE, ODOM, SCAN, Port
from ami_ros.parts.safety import SafetyPart
from ami_ros.parts.world_model import WorldModelPart

GRAPH: dict[str, type[Part]] = {
    part.name: part for part in (SafetyPart, PerceptionPart, WorldModelPart, MemoryPart, PlannerPart, MissionPart)
}
ROBOT_GIVES = (IMAGE, SCAN, DEPTH, ODOM, BATTERY)
ROBOT_TAKES = (CMD_VEL,)
PEOPLE_GIVE = (INITIAL_POSE, EMERGENCY_STOP)


@dataclass
class Stream:
    """One stream: who gives it, and who takes it; "robot" and "people" among them."""

    port: Port
    givers: list[str] = field(default_factory=list)
    takers: list[str] = field(default_factory=list)


def streams() -> dict[str, Stream]:
    """All streams by their names."""
    found: dict[str, Stream] = {}
    ends = {name: (part.gives, part.takes) for name, part in GRAPH.items()}
    for name, (gives, takes) in (ends | {"robot": (ROBOT_GIVES, ROBOT_TAKES), "people": (PEOPLE_GIVE, ())}).items():
        for port in gives:
            found.setdefault(port.name, Stream(port)).givers.append(name)
        for port in takes:
            found.setdefault(port.name, Stream(port)).takers.append(name)
    return found
