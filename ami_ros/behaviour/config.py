"""Configuration of the navigator and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ami_ros.planning.monitors import ProgressConfig
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.route_follower import FollowerConfig


@dataclass(frozen=True)
class RecoveryConfig:
    """How much surprise means what, and how long each state lasts."""

    enabled: bool = True  # react to surprise and uncertainty; false: only to being stuck or lost
    slow: float = 0.6  # share of the usual speeds while wary; larger is faster and less careful


@dataclass(frozen=True)
class NavigatorConfig:
    """When to stop, when to look around, when to give up."""

    use_memory: bool = True  # ask memory for routes; false: drive straight towards the goal
    distance_tolerance: float = 0.09  # [m] from the goal; smaller arrives more exactly, and recovers more often
    exact_tolerance: float = 0.06  # [m] the same where pictures are compared; smaller: later
    angle_tolerance: float = 0.2  # [rad] of heading; smaller turns longer at the goal
    exact_angle: float = 0.05  # [rad] the same where pictures are compared; larger: right places look wrong
    measured: bool = True  # a sensor measures scans; false: guessed from pictures, and no proof that a way is blocked
    approach: float = 1.6  # [m] left of the route at which the robot aims at the goal itself; larger trusts memory less
    doubt: float = 0.6  # [m] away at which sightings refute a goal that seemed reached; smaller doubts more often
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    follower: FollowerConfig = field(default_factory=FollowerConfig)
    progress: ProgressConfig = field(default_factory=ProgressConfig)
    recovery: RecoveryConfig = field(default_factory=RecoveryConfig)
