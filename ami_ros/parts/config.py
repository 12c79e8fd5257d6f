"""The configuration of all parts together, for who runs them in one process without ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

from ami_ros.parts.memory import MemorySettings
from ami_ros.parts.perception import PerceptionSettings
from ami_ros.parts.planner import PlannerSettings
from ami_ros.parts.world_model import SurpriseSettings
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.slam.place_memory import MemoryConfig


@dataclass(frozen=True)
class AgentConfig(PerceptionSettings, SurpriseSettings, MemorySettings, PlannerSettings):
    """What parts are told, and the rules of navigator and memory."""

    navigator: NavigatorConfig = field(default_factory=NavigatorConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
