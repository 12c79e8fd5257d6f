"""Configuration of the closed loop: what the parts are told, what they cost, and the gate's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ami_ros.config import from_mapping, to_mapping, with_settings
from ami_ros.parts.config import AgentConfig
from ami_ros.parts.timing import Timing
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.robots.derived import measures, memory_settings, navigator_settings, safety_settings
from ami_ros.robots.description import RobotDescription
from ami_ros.safety.config import SafetyConfig
from ami_ros.slam.growth import MemoryConfig


@dataclass(frozen=True)
class LoopConfig:
    """The configuration of the stack, and what its work costs."""

    gated: bool = True  # false: the gate is shown no scans, and keeps to limits of speed alone: to see what it costs
    goal_pictures: int = 1  # of each goal: one, or so many all round
    settle: float = 1.0  # [s] the robot is given to stand still at the end
    timing: Timing = field(default_factory=Timing)
    agent: AgentConfig = field(default_factory=AgentConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)

    def driving(self, robot: RobotDescription) -> LoopConfig:
        """The same, for the size, speeds and delays of `robot`."""
        safety = from_mapping(SafetyConfig, to_mapping(self.safety) | safety_settings(robot))
        navigator = _with_own(to_mapping(self.agent.navigator), navigator_settings(robot))
        memory = _with_own(to_mapping(self.agent.memory), memory_settings(robot))
        agent = replace(
            self.agent,
            navigator=from_mapping(NavigatorConfig, navigator),
            memory=from_mapping(MemoryConfig, memory),
            tracks=measures(robot),
        )
        return replace(self, agent=agent, safety=safety)

    def navigating(self, navigator: NavigatorConfig) -> LoopConfig:
        """The same with another navigator."""
        return replace(self, agent=replace(self.agent, navigator=navigator))


def _with_own(values: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Values, nested, with a robot's own in their place."""
    return values | {
        name: _with_own(values[name], value) if isinstance(value, dict) else value for name, value in own.items()
    }


def loop_config(settings: Sequence[str]) -> LoopConfig:
    """The configuration with `settings`, as "dotted.name=value".

    Raises:
        AmiError: a setting without "=", an unknown name, or a value that does not fit.
    """
    return with_settings(LoopConfig(), settings)
