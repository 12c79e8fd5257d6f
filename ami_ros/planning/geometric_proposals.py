"""Plans by geometry alone, with which the search with the world model begins.

Where the goal lies is known roughly at once, and so is what the scan sees. A robot that did at once what it is told is
a few numbers a step instead of a network, so a thousand futures of it cost less than a hundred imagined ones. What is
best for that robot is nearly right for the true one; the world model only has to mend it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.geometry import Array, from_cos_sin
from ami_ros.planning.costs.goal import GoalConfig, PoseGoal
from ami_ros.planning.imagination import Imagination, integrate, weigh
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Clock, Cost, Futures, Problem, Scene, SearchSize, no_proposals
from ami_ros.planning.solvers.search import Icem, IcemConfig, Incumbent
from ami_ros.world_model.arrays import Floats

GEOMETRIC = ("smoothness", "pose_goal", "obstacles", "keep_away")  # costs that need no latents


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
    """Searches by geometry. Not thread-safe.

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
            poses = integrate(displacements(actions, scene.step_duration))
            return np.asarray(weigh(costs, Futures(actions, previous, latent, poses, latent)).sum(0))

        problem = Problem(evaluate, robot, robot.primitives(steps), deadline, self._clock)
        solver = Icem(size, IcemConfig(), self._seed)
        incumbent = Incumbent(problem, solver.mean)
        elites = solver.iterate(problem, incumbent, config.iterations)
        return np.concatenate([incumbent.actions[None], elites])[: config.proposals]

    def _costs(self, imagination: Imagination, scene: Scene) -> dict[str, Cost]:
        """What can be said without the model, the goal's place among it; nothing where that is not known."""
        found = {name: cost for name, cost in imagination.costs.items() if name in GEOMETRIC}
        if "pose_goal" not in found:
            pose = _seen(scene, imagination.latent) if self._goal.enabled else None
            goal = PoseGoal.build(self._goal, replace(scene, target=replace(scene.target, pose=pose)))
            if goal is None:
                return {}
            found["pose_goal"] = goal
        return found


def displacements(actions: Floats, duration: float) -> Floats:
    """Of a robot that at once does what it is told.

    Args:
        actions: (batch, steps, width) commands, see `ami_ros.commands`.
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


def _seen(scene: Scene, latent: Floats) -> Array | None:
    """Where the target's latent was taken, as the relative-pose head sees it (3,); None if that is not finite."""
    if scene.target.latent is None:
        return None
    pose = from_cos_sin(scene.dynamics.relative_pose(latent, scene.target.latent))
    return pose if np.isfinite(pose).all() else None
