"""What our loop is compared with: the same loop that knows the truth, and one that drives at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL, of_width
from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop, LoopConfig
from ami_ros.evaluation.trials import REACHED_DISTANCE, REACHED_HEADING, TIME_ALLOWANCE, Trial, goal_errors
from ami_ros.evaluation.true_dynamics import TrueDynamics, true_latent
from ami_ros.geometry import Array
from ami_ros.memory.codes import Code as MemoryCode
from ami_ros.memory.types import GoalQuery, Location, Place, Route
from ami_ros.planning.codes import Code
from ami_ros.planning.navigator import Navigator
from ami_ros.planning.types import Decision, Goal, Percept, State
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel

NOTHING: NDArray[np.float32] = np.zeros(0, np.float32)
SPACING = 0.3  # between places of a true route [m]


class TrueLoop(ClosedLoop):
    """Our navigator and planner, whose dynamics, energy, location and routes are the simulator's own."""

    def __init__(self, loaded: LoadedModel, simulator: Simulator, config: LoopConfig, seed: int) -> None:
        super().__init__(loaded, simulator, None, config, seed)
        self.space = FreeSpace(simulator.world, simulator.doors)
        self._still = of_width(STILL, loaded.model.spec.command_dim)
        self.navigator = Navigator(TrueDynamics(loaded.model.spec), self.config.navigator, seed)

    def see_goal(self, goal: Array) -> Goal:
        """The goal itself."""
        return Goal(true_latent(goal, self._still))

    def perceive(self) -> Percept:
        """The truth, which is the map frame and odom as well; and the scan."""
        seen, true = self.simulator.observe(), self.simulator.ground_truth()
        self.safety.scan(seen.scan, seen.stamp)
        location = Location(seen.stamp, true.pose, true.pose, 1.0, 0.0, True, 1)
        latent = true_latent(true.pose, true.velocity)
        return Percept(seen.stamp, latent, true.pose, true.velocity, seen.scan, location)

    def find_route(self, goal: GoalQuery, hypothesis: int, avoid_edges: Sequence[tuple[int, int]]) -> Route:
        """The shortest way to the pose that the goal's true latent holds. Raises AmiError if there is none."""
        assert goal.latent is not None
        x, y, c, s = (float(v) for v in goal.latent[:4])
        wanted, here = np.array([x, y, np.arctan2(s, c)]), self.simulator.ground_truth().pose
        way = self.space.path(here, wanted)
        if not len(way):
            raise AmiError("there is no way", MemoryCode.NO_ROUTE)
        driven = np.append(0.0, np.hypot(*np.diff(way, axis=0).T).cumsum())
        at = np.append(np.arange(0.0, driven[-1], SPACING), driven[-1])
        points = np.column_stack([np.interp(at, driven, way[:, k]) for k in (0, 1)])
        ahead = np.diff(points, axis=0)
        poses = np.column_stack([points, np.append(np.arctan2(ahead[:, 1], ahead[:, 0]), wanted[2])])
        places = [
            Place(k + 1, pose, true_latent(pose, self._still), "", "", 0.0, 0.0, 1) for k, pose in enumerate(poses)
        ]
        return Route(places, float(driven[-1]), wanted, 1.0)


class RandomLoop(ClosedLoop):
    """Random commands, a new one with each percept; an oracle stops it when it happens to be at the goal."""

    def __init__(self, loaded: LoadedModel, simulator: Simulator, config: LoopConfig, seed: int) -> None:
        super().__init__(loaded, simulator, None, config, seed)
        self.rng = np.random.default_rng(seed)

    def drive(self, kind: str, start: Array, goal: Array, length: float, allowance: float | None = None) -> Trial:
        """See `ClosedLoop.drive`."""
        self._goal = goal
        self._until = self.simulator.time + (allowance or TIME_ALLOWANCE["near" if kind == "near" else "far"])
        return super().drive(kind, start, goal, length, allowance)

    def perceive(self) -> Percept:
        """The scan for the safety gate; nothing else is looked at."""
        seen = self.simulator.observe()
        self.safety.scan(seen.scan, seen.stamp)
        return Percept(seen.stamp, NOTHING, seen.odometry, seen.velocity, seen.scan, None)

    def decide(self, percept: Percept) -> Decision:
        """Any command that the robot can carry out."""
        distance, turn = goal_errors(self.simulator.ground_truth().pose, self._goal)
        if distance <= REACHED_DISTANCE and turn <= REACHED_HEADING:
            return Decision(State.STOPPING, "happens to be there", done=True, succeeded=True)
        if percept.stamp > self._until:
            return Decision(State.IDLE, "out of time", code=Code.TIMEOUT, done=True)
        robot = self.config.navigator.planner.kinematics
        return Decision(State.CONTROLLING, "at random", self.rng.uniform(robot.low, robot.high)[None])
