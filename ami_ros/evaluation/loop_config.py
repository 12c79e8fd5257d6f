"""Configuration of the closed loop: what the parts are told, what they cost, and the gate's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ami_ros.config import from_mapping, to_mapping, with_settings
from ami_ros.parts.config import AgentConfig
from ami_ros.parts.timing import Timing
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.robots.derived import measures, navigator_settings, safety_settings
from ami_ros.robots.description import RobotDescription
from ami_ros.safety.config import SafetyConfig


@dataclass(frozen=True)
class LoopConfig:
    """The configuration of the stack, and what its work costs."""

    gated: bool = True  # false: the gate is shown no scans, and keeps to limits of speed alone: to see what it costs
    settle: float = 1.0  # [s] the robot is given to stand still at the end
    timing: Timing = field(default_factory=Timing)
    agent: AgentConfig = field(default_factory=AgentConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)

    def driving(self, robot: RobotDescription) -> LoopConfig:
        """The same, for the size, speeds and delays of `robot`."""
        safety = from_mapping(SafetyConfig, to_mapping(self.safety) | safety_settings(robot))
        values, own = to_mapping(self.agent.navigator), navigator_settings(robot)
        values |= {name: values[name] | own[name] if isinstance(own[name], dict) else own[name] for name in own}
        agent = replace(self.agent, navigator=from_mapping(NavigatorConfig, values), tracks=measures(robot))
        return replace(self, agent=agent, safety=safety)

    def navigating(self, navigator: NavigatorConfig) -> LoopConfig:
        """The same with another navigator."""
        return replace(self, agent=replace(self.agent, navigator=navigator))


def loop_config(settings: Sequence[str]) -> LoopConfig:
    """The configuration with `settings`, as "dotted.name=value".

    Raises:
        AmiError: a setting without "=", an unknown name, or a value that does not fit.
    """
    return with_settings(LoopConfig(), settings)
