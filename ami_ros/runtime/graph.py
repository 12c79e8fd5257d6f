"""The one graph: which parts there are, how their ports are joined, and the configuration of all of them together."""

from __future__ import annotations

from dataclasses import dataclass, field

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.memory.place_memory import MemoryConfig
from ami_ros.runtime.memory import MemoryPart, MemorySettings
from ami_ros.runtime.mission import MissionPart
from ami_ros.runtime.part import BATTERY, CMD_VEL, DEPTH, EMERGENCY_STOP, IMAGE, INITIAL_POSE, ODOM, SCAN, Part, Port
from ami_ros.runtime.perception import PerceptionPart, PerceptionSettings
from ami_ros.runtime.planner import PlannerPart, PlannerSettings
from ami_ros.runtime.safety import SafetyPart
from ami_ros.runtime.world_model import SurpriseSettings, WorldModelPart


@dataclass(frozen=True)
class AgentConfig(PerceptionSettings, SurpriseSettings, MemorySettings, PlannerSettings):
    """What parts are told, and the rules of navigator and memory."""

    navigator: NavigatorConfig = field(default_factory=NavigatorConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)


# Streams of one name are one stream.
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
