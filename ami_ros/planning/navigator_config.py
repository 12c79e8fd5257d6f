"""Configuration of the navigator and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ami_ros.planning.doubt import DoubtConfig
from ami_ros.planning.goal_tracker import TrackerConfig
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.progress import ProgressConfig
from ami_ros.planning.route_follower import FollowerConfig
from ami_ros.planning.situations import SituationsConfig


@dataclass(frozen=True)
class NavigatorConfig:
    """When to stop, when to look around, when to give up."""

    use_memory: bool = True  # ask memory for routes; without, the goal itself is the only target
    distance_tolerance: float = 0.09  # [m] from the goal, at which it counts as reached
    angle_tolerance: float = 0.2  # [rad] the same of its heading
    approach: float = 1.6  # [m] of way left from which the goal itself is the target
    doubt: float = 0.6  # [m], sightings that put a goal that was reached farther away than this refute it
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    follower: FollowerConfig = field(default_factory=FollowerConfig)
    progress: ProgressConfig = field(default_factory=ProgressConfig)
    uncertainty: DoubtConfig = field(default_factory=DoubtConfig)
    situations: SituationsConfig = field(default_factory=SituationsConfig)
