"""What our loop is compared with: the same loop that knows the truth. Its dynamics are without learning, the kinematics
of the simulated robot, its latent the true pose and velocity: that shows what planning costs, apart from seeing and
remembering."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.core.commands import STILL, Command, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.robots.description import load_robot
from ami_ros.core.scan import Scan
from ami_ros.memory.types import Code, Location, Place, Route
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.types import Goal, RouteRequest
from ami_ros.runtime.part import FIND_ROUTE, LATENT, LOCATION, ODOM, SCAN, Bus, Motion, Part, Port
from ami_ros.runtime.perception import LatentFrame, Synchroniser
from ami_ros.runtime.planner import PlannerPart
from ami_ros.runtime.world_model import Learner
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import greatest_change
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.fit import simulated_robot
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import LoadedModel


def true_latent(pose: Array, velocity: Command = STILL) -> Floats:
    """The latent (6 or 7,) of a pose (3,) in the world's frame: x, y, cos, sin of the yaw, and the velocity."""
    x, y, yaw = pose
    return np.array([x, y, np.cos(yaw), np.sin(yaw), *velocity], dtype=np.float32)


class TrueDynamics:
    """Obstacles stop nothing here: as for the learned model, they are the scan's and its cost's.

    Args:
        spec: of the learned model, whose timing this one has.
    """

    sighting = None  # it sees no pictures

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = replace(spec.without_learned_heads(), latent_dim=4 + spec.command_dim)
        robot = load_robot(simulated_robot(spec))
        # A car's wheels are taken to be turned at once: its latent does not say how they stand.
        self._tightest = robot.drive.turning_radius if robot.drive.kind == "ackermann" else None
        self._dt = 0.05  # [s] of the integration
        self._follow = 1 - float(np.exp(-self._dt / robot.simulated.lag))
        self._most = np.array(greatest_change(robot)[: spec.command_dim], np.float32) * self._dt

    def relative_pose(self, first: Floats, second: Floats) -> Floats:
        """See `RelativePose`; exact."""
        c, s = first[..., 2], first[..., 3]
        dx, dy = second[..., 0] - first[..., 0], second[..., 1] - first[..., 1]
        cos = c * second[..., 2] + s * second[..., 3]
        sin = c * second[..., 3] - s * second[..., 2]
        return np.stack([c * dx + s * dy, c * dy - s * dx, cos, sin], -1)

    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        """See `Dynamics`: motors that accelerate at most so fast, and follow with a lag."""
        x, y, yaw = latent[:, 0], latent[:, 1], np.arctan2(latent[:, 3], latent[:, 2])
        velocity, wanted, dt = latent[:, 4:], latent[:, 4:], self._dt
        latents, motions = [], []
        for chunk in commands.transpose(1, 2, 0, 3):
            x0, y0, yaw0 = x, y, yaw
            for command in chunk:
                for _ in range(round(self.spec.period / dt)):
                    change = (command - wanted).clip(-self._most, self._most)
                    wanted = self._steered(wanted + change)
                    velocity = velocity + self._follow * (wanted - velocity)
                    turn = velocity[:, 1] * dt
                    c, s = np.cos(yaw + turn / 2), np.sin(yaw + turn / 2)
                    x, y = x + velocity[:, 0] * dt * c, y + velocity[:, 0] * dt * s
                    if self.spec.command_dim == 3:
                        x, y = x - velocity[:, 2] * dt * s, y + velocity[:, 2] * dt * c
                    yaw = yaw + turn
            c, s = np.cos(yaw0), np.sin(yaw0)
            moved = [c * (x - x0) + s * (y - y0), c * (y - y0) - s * (x - x0), yaw - yaw0]
            latents.append(np.concatenate([np.stack([x, y, np.cos(yaw), np.sin(yaw)], -1), velocity], -1))
            motions.append(np.stack(moved, -1))
        return np.stack(latents, 1), np.stack(motions, 1)

    def _steered(self, velocity: Floats) -> Floats:
        """A velocity (batch, 2 or 3), of a car in curves no tighter than it can."""
        if self._tightest is None:
            return velocity
        linear, angular = velocity[..., 0], velocity[..., 1]
        most = np.abs(linear) / self._tightest
        return np.stack([linear, angular.clip(-most, most)], -1)


class TruePerception(Part):
    """Perception of somebody who looks at no pictures: the true latent for each scan, of whatever kind."""

    name = "perception"
    takes: tuple[Port, ...] = (SCAN,)
    gives: tuple[Port, ...] = (LATENT,)

    def __init__(self, bus: Bus, config: LoopConfig, simulator: Simulator) -> None:
        super().__init__(bus)
        agent, unseen = config.agent, InputSpec(image_size=0)
        self._frames = Synchroniser(unseen, agent.freshness, agent.scan_max_age, agent.max_rate)
        self._simulator = simulator

    def on_scan(self, stamp: float, scan: Scan) -> None:
        if self._frames.take_scan(stamp, scan, self.bus.now()) is not None:
            true = self._simulator.ground_truth()
            seen = LatentFrame(stamp, true_latent(true.pose, true.velocity))
            self.bus.work(lambda: lambda: self.bus.give(LATENT, stamp, seen))


class TrueMemory(Part):
    """Knows where the robot is, which is the map frame and odom as well, and all routes: those of the simulator's free
    space, with the doors as they are at the start."""

    name = "memory"
    takes: tuple[Port, ...] = (ODOM,)
    gives: tuple[Port, ...] = (LOCATION,)
    answers = (FIND_ROUTE,)

    def __init__(self, bus: Bus, simulator: Simulator, still: tuple[float, ...]) -> None:
        super().__init__(bus)
        self._simulator, self._still = simulator, still
        self._space = FreeSpace(simulator.world, simulator.doors)

    def on_odom(self, stamp: float, motion: Motion) -> None:
        self.bus.give(LOCATION, stamp, Location(stamp, motion.pose, motion.pose, 1.0, 0.0, True, 1))

    def find_route(self, asked: RouteRequest) -> Route:
        """The shortest way to the pose that the goal's true latent holds, a place each 0.3 m. Raises AmiError if there
        is none."""
        assert asked.goal.latent is not None
        x, y, c, s = (float(v) for v in asked.goal.latent[:4])
        goal = np.array([x, y, np.arctan2(s, c)])
        way = self._space.path(self._simulator.ground_truth().pose, goal)
        if not len(way):
            raise AmiError("there is no way", Code.NO_ROUTE)
        length = np.append(0.0, np.hypot(*np.diff(way, axis=0).T).cumsum())
        at = np.append(np.arange(0.0, length[-1], 0.3), length[-1])
        points = np.column_stack([np.interp(at, length, way[:, k]) for k in (0, 1)])
        ahead = np.diff(points, axis=0)
        poses = np.column_stack([points, np.append(np.arctan2(ahead[:, 1], ahead[:, 0]), goal[2])])
        places = [
            Place(k + 1, pose, true_latent(pose, self._still), "", "", 0.0, 0.0, 1) for k, pose in enumerate(poses)
        ]
        return Route(places, float(length[-1]), goal, 1.0)


class TrueLoop(ClosedLoop):
    """Our navigator and planner, whose dynamics, energy, location and routes are the simulator's own."""

    def __init__(self, loaded: LoadedModel, simulator: Simulator, config: LoopConfig, seed: int) -> None:
        self._still = of_width(STILL, loaded.model.spec.command_dim)
        super().__init__(loaded, simulator, None, config, seed)

    def make_perception(self) -> Part:
        return TruePerception(self.bus.seat("perception"), self.config, self.simulator)

    def make_world_model(self, learner: Learner | None) -> None:
        """The truth surprises nobody."""

    def make_memory(self, width: int) -> Part:
        return TrueMemory(self.bus.seat("memory"), self.simulator, self._still)

    def make_planner(self, seed: int, model: Dynamics | None = None) -> PlannerPart:
        return super().make_planner(seed, TrueDynamics(self.loaded.model.spec))

    def give_odometry(self, stamp: float, motion: Motion) -> None:
        true = self.simulator.ground_truth()
        super().give_odometry(stamp, Motion(true.pose, true.velocity))

    def set_goal(self, goal: Array, allowance: float) -> None:
        """The goal itself."""
        self.start(Goal(true_latent(goal, self._still), time_allowance=allowance))
