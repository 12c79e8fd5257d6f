"""The configuration of all parts together, for who runs them in one process without ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

from ami_ros.parts.freshness import Rates
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.slam.place_memory import MemoryConfig


@dataclass(frozen=True)
class AgentConfig(Rates):
    """Rates, and the rules of navigator and memory."""

    navigator: NavigatorConfig = field(default_factory=NavigatorConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
