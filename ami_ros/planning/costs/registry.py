"""Which costs: by name, those of other packages included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.planning.costs.goal import GoalConfig, LatentGoal, PoseGoal
from ami_ros.planning.costs.keep_away import KeepAway, KeepAwayConfig
from ami_ros.planning.costs.obstacles import Obstacles, ObstaclesConfig
from ami_ros.planning.costs.people import People, PeopleConfig
from ami_ros.planning.costs.smoothness import Smoothness, SmoothnessConfig
from ami_ros.planning.protocols import Cost, Scene
from ami_ros.plugins import COSTS, find_plugin, plugin_config

BUILT_IN: dict[str, Any] = {
    "smoothness": Smoothness,
    "latent_goal": LatentGoal,
    "pose_goal": PoseGoal,
    "obstacles": Obstacles,
    "keep_away": KeepAway,
    "people": People,
}


@dataclass(frozen=True)
class CostsConfig:
    """What makes one future better than another; each has `enabled` and `weight`."""

    latent_goal: GoalConfig = field(default_factory=GoalConfig)
    pose_goal: GoalConfig = field(default_factory=GoalConfig)
    obstacles: ObstaclesConfig = field(default_factory=ObstaclesConfig)
    smoothness: SmoothnessConfig = field(default_factory=SmoothnessConfig)
    keep_away: KeepAwayConfig = field(default_factory=KeepAwayConfig)
    people: PeopleConfig = field(default_factory=PeopleConfig)
    plugins: tuple[str, ...] = ()  # costs of other packages, each as "name" or "name key=value key=value"


class Costs:
    """The enabled costs of a configuration.

    Raises:
        AmiError: a cost of another package is unknown, or its options do not fit.
    """

    def __init__(self, config: CostsConfig) -> None:
        self._enabled = [(name, plugin, getattr(config, name)) for name, plugin in BUILT_IN.items()]
        for text in config.plugins:
            name, *options = text.split() or [""]
            if name in BUILT_IN:
                raise AmiError(f"planner: the cost '{name}' comes with ami_ros; set its parameters costs.{name}.*")
            plugin = find_plugin(COSTS, name, BUILT_IN)
            self._enabled.append((name, plugin, plugin_config(plugin, options, name)))
        self._enabled = [(name, plugin, own) for name, plugin, own in self._enabled if own.enabled]

    def at(self, scene: Scene) -> dict[str, Cost]:
        """The costs that apply at this moment, by name."""
        built = {name: plugin.build(config, scene) for name, plugin, config in self._enabled}
        return {name: cost for name, cost in built.items() if cost is not None}
