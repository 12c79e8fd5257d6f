"""Configuration of the closed loop: the rates of nodes and robot, what a decision costs, and the stack's own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ami_ros.agent.agent import AgentConfig
from ami_ros.config import from_mapping, to_mapping
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.robots.derived import navigator_settings, safety_settings
from ami_ros.robots.description import RobotDescription
from ami_ros.safety.config import SafetyConfig

Charge = Literal["budget", "measured", "frozen"]  # what a decision costs: a stated time, what it took here, nothing


@dataclass(frozen=True)
class LoopConfig:
    """Rates, as the nodes and the simulated robot have them, and the configuration of the stack."""

    sensor_rate: float = 10.0  # [Hz] of image, scan and compass
    odom_rate: float = 25.0  # [Hz]
    safety_rate: float = 20.0  # [Hz] of what the gate sends between commands
    charge: Charge = "budget"
    budget: float = 0.08  # [s] from image to command: the search's deadline, and what else a decision takes
    gated: bool = True  # false: the gate is shown no scans, and keeps to limits of speed alone: to see what it costs
    settle: float = 1.0  # [s] the robot is given to stand still at the end
    agent: AgentConfig = field(default_factory=AgentConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)

    @property
    def charged(self) -> str:
        """What a decision costs, for whoever reads figures."""
        cost = {"budget": f"{1000 * self.budget:.0f} ms", "measured": "what it took here", "frozen": "nothing"}
        return f"each decision costs {cost[self.charge]} of simulated time"

    def driving(self, robot: RobotDescription) -> LoopConfig:
        """The same, for the size, speeds, delays and sensor rates of `robot`."""
        safety = from_mapping(SafetyConfig, to_mapping(self.safety) | safety_settings(robot))
        values, own = to_mapping(self.agent.navigator), navigator_settings(robot)
        for group, settings in own.items():
            values[group] |= settings
        config = self.navigating(from_mapping(NavigatorConfig, values))
        fastest = max(sensor.rate for sensor in (robot.camera, robot.laser, robot.compass) if sensor is not None)
        return replace(config, safety=safety, sensor_rate=fastest, odom_rate=robot.odometry.rate)

    def navigating(self, navigator: NavigatorConfig) -> LoopConfig:
        """The same with another navigator."""
        return replace(self, agent=replace(self.agent, navigator=navigator))
