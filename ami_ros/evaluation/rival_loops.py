"""What our loop is compared with: the same loop that knows the truth, and one that drives at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.agent.agent import Thought
from ami_ros.agent.driver import Driver
from ami_ros.agent.routes import LocalRoutes
from ami_ros.agent.synchroniser import Synchroniser
from ami_ros.commands import STILL, of_width
from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.trials import REACHED_DISTANCE, REACHED_HEADING, goal_errors
from ami_ros.evaluation.true_dynamics import TrueDynamics, true_latent
from ami_ros.geometry import Array
from ami_ros.mission.navigator import Navigator
from ami_ros.places.codes import Code as MemoryCode
from ami_ros.places.types import Location, Place, Route
from ami_ros.planning.codes import Code
from ami_ros.planning.types import Decision, Goal, Percept, RouteRequest, State
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.spec import InputSpec

NOTHING: NDArray[np.float32] = np.zeros(0, np.float32)
SPACING = 0.3  # between places of a true route [m]


def by_scan(config: LoopConfig) -> Synchroniser:
    """A synchroniser for whoever looks at no pictures."""
    agent = config.agent
    return Synchroniser(InputSpec(image_size=0), agent.freshness, agent.scan_max_age, agent.max_rate)


class TrueLoop(ClosedLoop):
    """Our navigator and planner, whose dynamics, energy, location and routes are the simulator's own."""

    def __init__(self, loaded: LoadedModel, simulator: Simulator, config: LoopConfig, seed: int) -> None:
        super().__init__(loaded, simulator, None, config, seed)
        still = of_width(STILL, loaded.model.spec.command_dim)
        navigator = Navigator(TrueDynamics(loaded.model.spec), self.config.agent.navigator, seed)
        routes = LocalRoutes(TrueRoutes(simulator, still).find)
        self.agent.navigator = navigator
        self.agent.driver = Driver(navigator, self.agent.perception, routes, loaded.encoder_id)
        self.agent.synchroniser = by_scan(self.config)
        self._still = still

    def set_goal(self, goal: Array, allowance: float) -> None:
        """The goal itself."""
        self.start(Goal(true_latent(goal, self._still), time_allowance=allowance))

    def think(self) -> Thought:
        """Of the truth, which is the map frame and odom as well; and the scan."""
        seen, true = self.agent.look(), self.simulator.ground_truth()
        location = Location(seen.stamp, true.pose, true.pose, 1.0, 0.0, True, 1)
        latent = true_latent(true.pose, true.velocity)
        percept = Percept(seen.stamp, latent, true.pose, true.velocity, seen.scan, location)
        return self.agent.consider(percept)


class TrueRoutes:
    """Routes by the simulator's free space, with the doors as they are at the start."""

    def __init__(self, simulator: Simulator, still: tuple[float, ...]) -> None:
        self._simulator, self._still = simulator, still
        self._space = FreeSpace(simulator.world, simulator.doors)

    def find(self, wanted: RouteRequest) -> Route:
        """The shortest way to the pose that the goal's true latent holds. Raises AmiError if there is none."""
        assert wanted.goal.latent is not None
        x, y, c, s = (float(v) for v in wanted.goal.latent[:4])
        goal = np.array([x, y, np.arctan2(s, c)])
        way = self._space.path(self._simulator.ground_truth().pose, goal)
        if not len(way):
            raise AmiError("there is no way", MemoryCode.NO_ROUTE)
        return self._route(way, goal)

    def _route(self, way: Array, goal: Array) -> Route:
        length = np.append(0.0, np.hypot(*np.diff(way, axis=0).T).cumsum())
        at = np.append(np.arange(0.0, length[-1], SPACING), length[-1])
        points = np.column_stack([np.interp(at, length, way[:, k]) for k in (0, 1)])
        ahead = np.diff(points, axis=0)
        poses = np.column_stack([points, np.append(np.arctan2(ahead[:, 1], ahead[:, 0]), goal[2])])
        places = [
            Place(k + 1, pose, true_latent(pose, self._still), "", "", 0.0, 0.0, 1) for k, pose in enumerate(poses)
        ]
        return Route(places, float(length[-1]), goal, 1.0)


class RandomLoop(ClosedLoop):
    """Random commands, a new one with each frame; an oracle stops it when it happens to be at the goal."""

    def __init__(self, loaded: LoadedModel, simulator: Simulator, config: LoopConfig, seed: int) -> None:
        super().__init__(loaded, simulator, None, config, seed)
        self.rng = np.random.default_rng(seed)
        self.agent.synchroniser = by_scan(self.config)

    def set_goal(self, goal: Array, allowance: float) -> None:
        """For the oracle."""
        self._goal, self._until = goal, self.simulator.time + allowance
        self.start(Goal(NOTHING))

    def think(self) -> Thought:
        """Nothing is looked at."""
        seen = self.agent.look()
        percept = Percept(seen.stamp, NOTHING, np.zeros(3), STILL, seen.scan, None)
        return Thought(percept, self.agent.execution, self._decide(percept.stamp))

    def _decide(self, stamp: float) -> Decision:
        """Any command that the robot can carry out."""
        distance, turn = goal_errors(self.simulator.ground_truth().pose, self._goal)
        if distance <= REACHED_DISTANCE and turn <= REACHED_HEADING:
            return Decision(State.STOPPING, "happens to be there", done=True, succeeded=True)
        if stamp > self._until:
            return Decision(State.IDLE, "out of time", code=Code.TIMEOUT, done=True)
        robot = self.config.agent.navigator.planner.kinematics
        return Decision(State.CONTROLLING, "at random", self.rng.uniform(robot.low, robot.high)[None])
