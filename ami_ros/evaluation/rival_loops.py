"""What our loop is compared with: the same loop that knows the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL, of_width
from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.true_dynamics import TrueDynamics, true_latent
from ami_ros.geometry import Array
from ami_ros.parts.part import Bus, Part
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.parts.planner import PlannerPart
from ami_ros.parts.ports import FIND_ROUTE, LATENT, LOCATION, ODOM, SCAN, Motion, Port
from ami_ros.parts.synchroniser import Synchroniser
from ami_ros.parts.world_model import Learner
from ami_ros.places.codes import Code
from ami_ros.places.types import Location, Place, Route
from ami_ros.planning.types import Goal, RouteRequest
from ami_ros.scan import Scan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.spec import InputSpec

SPACING = 0.3  # between places of a true route [m]


class ByScan(Part):
    """Perception of somebody who looks at no pictures: a latent for each scan, of whatever kind."""

    name = "perception"
    takes: tuple[Port, ...] = (SCAN,)
    gives: tuple[Port, ...] = (LATENT,)

    def __init__(self, bus: Bus, config: LoopConfig, latent: Callable[[], NDArray[np.float32]]) -> None:
        super().__init__(bus)
        agent, unseen = config.agent, InputSpec(image_size=0)
        self._frames = Synchroniser(unseen, agent.freshness, agent.scan_max_age, agent.max_rate)
        self._latent = latent

    def on_scan(self, stamp: float, scan: Scan) -> None:
        if self._frames.take_scan(stamp, scan, self.bus.now()) is not None:
            seen = LatentFrame(stamp, self._latent())
            self.bus.work(lambda: lambda: self.bus.give(LATENT, stamp, seen))


class TrueMemory(Part):
    """Knows where the robot is, which is the map frame and odom as well, and all routes."""

    name = "memory"
    takes: tuple[Port, ...] = (ODOM,)
    gives: tuple[Port, ...] = (LOCATION,)
    answers = (FIND_ROUTE,)

    def __init__(self, bus: Bus, routes: TrueRoutes) -> None:
        super().__init__(bus)
        self._routes = routes

    def on_odom(self, stamp: float, motion: Motion) -> None:
        self.bus.give(LOCATION, stamp, Location(stamp, motion.pose, motion.pose, 1.0, 0.0, True, 1))

    def find_route(self, asked: RouteRequest) -> Route:
        return self._routes.find(asked)


class TrueLoop(ClosedLoop):
    """Our navigator and planner, whose dynamics, energy, location and routes are the simulator's own."""

    def __init__(self, loaded: LoadedModel, simulator: Simulator, config: LoopConfig, seed: int) -> None:
        self._still = of_width(STILL, loaded.model.spec.command_dim)
        super().__init__(loaded, simulator, None, config, seed)

    def make_perception(self) -> Part:
        def latent() -> NDArray[np.float32]:
            true = self.simulator.ground_truth()
            return true_latent(true.pose, true.velocity)

        return ByScan(self.bus.seat("perception"), self.config, latent)

    def make_world_model(self, learner: Learner | None) -> None:
        """The truth surprises nobody."""

    def make_memory(self, width: int) -> Part:
        return TrueMemory(self.bus.seat("memory"), TrueRoutes(self.simulator, self._still))

    def make_planner(self, seed: int) -> PlannerPart:
        dynamics = TrueDynamics(self.loaded.model.spec)
        return self.planner_of(self.navigator(dynamics, seed), self.followed())

    def give_odometry(self, stamp: float, motion: Motion) -> None:
        true = self.simulator.ground_truth()
        super().give_odometry(stamp, Motion(true.pose, true.velocity))

    def set_goal(self, goal: Array, allowance: float) -> None:
        """The goal itself."""
        self.start(Goal(true_latent(goal, self._still), time_allowance=allowance))


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
            raise AmiError("there is no way", Code.NO_ROUTE)
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
