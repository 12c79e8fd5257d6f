"""The function that a solver minimises: what commands lead to, and what that costs; and plans by geometry alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.core.commands import Command, of_width
from ami_ros.core.geometry import from_cos_sin
from ami_ros.planning.costs import GoalConfig, PoseGoal
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Clock, Cost, Dynamics, Futures, Problem, Scene, SearchSize, no_proposals
from ami_ros.planning.solvers import Icem, IcemConfig, Incumbent
from ami_ros.world_model.layers import Floats


def integrate(motions: Floats) -> Floats:
    """Chains displacements (batch, steps, 3), each in the frame at its start, into poses in the first frame."""
    yaw = motions[..., 2].cumsum(1)
    before = yaw - motions[..., 2]
    c, s = np.cos(before), np.sin(before)
    x = c * motions[..., 0] - s * motions[..., 1]
    y = s * motions[..., 0] + c * motions[..., 1]
    return np.stack([x.cumsum(1), y.cumsum(1), yaw], -1)


def weigh(costs: Mapping[str, Cost], futures: Futures) -> Floats:
    """What each cost says: (costs, batch)."""
    return np.stack([cost(futures) for cost in costs.values()])


@dataclass(frozen=True)
class Foreseen:
    """One future and what it costs."""

    actions: Floats  # (steps, width)
    poses: Floats  # (steps, 3)
    terms: Floats  # (costs,)


class Imagination:
    """Futures from one moment, and what they cost; keeps the last batch (`poses`, `terms`), and the best future.

    Args:
        model: what imagines.
        latent: (latent_dim,) of the moment.
        previous: command in force; zero in what it does not say.
        costs: by name, at least one.
    """

    def __init__(self, model: Dynamics, latent: Floats, previous: Command, costs: Mapping[str, Cost]) -> None:
        self.model, self.costs, self.latent = model, costs, latent
        self.previous = np.array(of_width(previous, model.spec.command_dim), np.float32)
        self._best: Foreseen | None = None
        self._least = float("inf")

    def imagine(self, actions: Floats) -> Futures:
        """Rolls actions (batch, steps, width) out."""
        batch, steps, width = actions.shape
        commands = np.broadcast_to(actions[:, :, None], (batch, steps, self.model.spec.chunk, width))
        start, before = np.broadcast_to(self.latent, (batch, len(self.latent))), self.previous
        latents, motions = self.model.rollout(start, commands, np.broadcast_to(before, (batch, width)))
        return Futures(actions, self.previous, latents, integrate(motions), self.latent)

    def evaluate(self, actions: Floats) -> Floats:
        """The sum of all costs (batch,) of actions (batch, steps, width)."""
        futures = self.imagine(actions)
        return self.note(actions, futures.poses, weigh(self.costs, futures))

    def note(self, actions: Floats, poses: Floats, terms: Floats) -> Floats:
        """The sum (batch,) of costs `terms` (costs, batch) of a batch that was imagined, of which it keeps the best."""
        self.terms, self.poses = terms, poses
        # A pose that is not finite touches nothing, so that no other cost would speak against it.
        cost: Floats = np.where(np.isfinite(poses).all((1, 2)), terms.sum(0), np.float32(np.inf))
        best = int(cost.argmin())
        if cost[best] < self._least:
            self._least = float(cost[best])
            self._best = Foreseen(actions[best], poses[best], terms[:, best])
        return cost

    def sample(self, most: int) -> Floats:
        """Some futures (n, steps, 3) of the last batch, from the best to the worst in equal steps."""
        finite = np.isfinite(self.poses).all((1, 2))
        poses = self.poses[finite][self.terms.sum(0)[finite].argsort()]
        return poses[:: max(1, len(poses) // most)][:most]

    def foresee(self, actions: Floats) -> Foreseen:
        """What one sequence (steps, width) leads to; the best of all that were evaluated is not imagined again."""
        if self._best is not None and np.array_equal(actions, self._best.actions):
            return self._best
        futures = self.imagine(actions[None])
        return Foreseen(actions, futures.poses[0], weigh(self.costs, futures)[:, 0])


@dataclass(frozen=True)
class GeometricConfig:
    """How much is searched by geometry before the world model is asked."""

    proposals: int = 4  # best sequences that the search begins with; 0: none
    samples: int = 128  # sequences in an iteration; more: better plans, slower
    iterations: int = 8  # at most

    def __post_init__(self) -> None:
        if self.proposals < 0 or self.samples < 2 or self.iterations < 1:
            raise ValueError("a search by geometry needs at least 2 samples and 1 iteration, and proposals not below 0")


class GeometricProposals:
    """Plans by geometry alone, with which the search with the world model begins. Not thread-safe.

    Where the goal lies is known roughly at once, and so is what the scan sees. A robot that did at once what it is told
    is a few numbers a step instead of a network, so a thousand futures of it cost less than a hundred imagined ones.
    What is best for that robot is nearly right for the true one; the world model only has to mend it.

    Args:
        config: see there.
        goal: how a goal counts whose pose no cost knows, only its latent.
        seed: of the search's noise.
        clock: of deadlines.
    """

    def __init__(self, config: GeometricConfig, goal: GoalConfig, seed: int, clock: Clock = time.perf_counter) -> None:
        self.config, self._goal, self._seed, self._clock = config, goal, seed, clock

    def propose(self, imagination: Imagination, scene: Scene, robot: Kinematics, steps: int, deadline: float) -> Floats:
        """The best sequences (n, steps, width) to `scene.target`, best first; (0, steps, width) where there are none.

        Args:
            imagination: of the moment; of its costs those count that look at poses and commands alone.
            scene: of the moment.
            robot: its limits.
            steps: of the sequences.
            deadline: on the clock [s].
        """
        config, size = self.config, SearchSize(self.config.samples, self.config.iterations, steps, robot.width)
        costs = self._costs(imagination, scene) if config.proposals else {}
        if not costs:
            return no_proposals(steps, robot.width)
        latent, previous = imagination.latent, imagination.previous

        def evaluate(actions: Floats) -> Floats:
            poses = integrate(displacements(actions, scene.dynamics.spec.step_duration))
            return np.asarray(weigh(costs, Futures(actions, previous, latent, poses, latent)).sum(0))

        problem = Problem(evaluate, robot, robot.primitives(steps), deadline, self._clock)
        solver = Icem(size, IcemConfig(), self._seed)
        incumbent = Incumbent(problem, solver.mean)
        elites = solver.iterate(problem, incumbent, config.iterations)
        return np.concatenate([incumbent.actions[None], elites])[: config.proposals]

    def _costs(self, imagination: Imagination, scene: Scene) -> dict[str, Cost]:
        """What can be said without the model, the goal's place among it; nothing where that is not known."""
        without_latents = "smoothness", "pose_goal", "obstacles", "keep_away"
        found = {name: cost for name, cost in imagination.costs.items() if name in without_latents}
        latent = scene.target.latent
        if "pose_goal" in found:
            return found
        if latent is None or not self._goal.enabled:
            return {}
        pose = from_cos_sin(scene.dynamics.relative_pose(imagination.latent, latent))
        goal = PoseGoal.build(self._goal, replace(scene, target=replace(scene.target, pose=pose)))
        return found | {"pose_goal": goal} if goal is not None and np.isfinite(pose).all() else {}


def displacements(actions: Floats, duration: float) -> Floats:
    """Of a robot that at once does what it is told.

    Args:
        actions: (batch, steps, width) commands, see `ami_ros.core.commands`.
        duration: of each [s].

    Returns:
        (batch, steps, 3): x [m], y [m], yaw [rad] in the frame at the start of each step; the chord of an arc.
    """
    yaw = actions[..., 1] * duration
    chord = duration * np.sinc(yaw / (2 * np.pi))
    c, s = chord * np.cos(yaw / 2), chord * np.sin(yaw / 2)
    ahead = actions[..., 0]
    aside = actions[..., 2] if actions.shape[-1] == 3 else np.zeros_like(ahead)
    return np.stack([c * ahead - s * aside, s * ahead + c * aside, yaw], -1)
