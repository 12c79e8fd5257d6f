"""The interfaces of planning: what a world model, a cost and a solver offer. None of them knows the others.

Futures come from a `Dynamics`, are weighed by `Cost`s, and are searched by a `Solver`, which sees neither: it is given
a `Problem`. All arrays are NumPy's, in float32.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ami_ros.core.geometry import Array, Disc
from ami_ros.core.scan import Scan
from ami_ros.planning.kinematics import Kinematics
from ami_ros.safety.moving_things import Forecast
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.spec import ModelSpec


class Dynamics(Protocol):
    """What commands do to latents: the learned model, or any other. Who searches needs no encoder."""

    @property
    def spec(self) -> ModelSpec:
        """Shapes and units; planning needs latent_dim, chunk and period."""

    @property
    def relative_pose(self) -> Callable[[Floats, Floats], Floats]:
        """The energy in metres: (..., latent_dim) twice -> (..., 4), see `world_model.networks.RelativePose`."""

    @property
    def sighting(self) -> Callable[[Floats, Floats, Floats], Floats] | None:
        """How pictures are compared, see `world_model.networks.SightingHead`; None: by latents alone."""

    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        """Imagines, see `world_model.model.WorldModel.rollout`: latents (batch, steps, latent_dim) and displacements
        (batch, steps, 3) [m, m, rad] for commands (batch, steps, chunk, spec.command_dim)."""


# Costs


@dataclass(frozen=True)
class Target:
    """What one search is for; at least one of latent and pose."""

    latent: Floats | None  # (latent_dim,)
    pose: Array | None  # (3,) in base_link now
    final: bool  # the goal itself: heading counts


@dataclass(frozen=True)
class Scene:
    """All that a cost may need to know about the moment, besides the futures."""

    dynamics: Dynamics
    kinematics: Kinematics  # limits of the commands
    disc: Disc  # that holds the robot
    target: Target
    scan: Scan | None = None  # in base_link
    keep_away: Array = field(default_factory=lambda: np.zeros((0, 3)))  # (n, 3): x, y in base_link now, radius [m]
    forecast: Forecast | None = None  # of what moves, in base_link now, at `costs.people.times`; None: nothing does


@dataclass(frozen=True)
class Futures:
    """A batch of imagined futures, seen from where the robot is now."""

    commands: Floats  # (batch, steps, width), see `ami_ros.core.commands`; held for one model step each
    previous: Floats  # (width,) the command in force now
    latents: Floats  # (batch, steps, latent_dim) after each step
    poses: Floats  # (batch, steps, 3) after each step [m, m, rad] in the base frame of now
    start: Floats  # (latent_dim,) of now


class Cost(Protocol):
    """One term, made anew for each search."""

    def __call__(self, futures: Futures) -> Floats:
        """Cost (batch,), in metres of distance to the goal as far as that makes sense."""


class CostPlugin(Protocol):
    """What an entry point of the group `ami_ros.costs` names: a class with these two."""

    Config: type[Any]  # a frozen dataclass with at least `enabled: bool` and `weight: float`

    @classmethod
    def build(cls, config: Any, scene: Scene) -> Cost | None:
        """The cost for this moment; None where it does not apply: no scan, no such head in the model."""


# Solvers

Evaluate = Callable[[Floats], Floats]
Clock = Callable[[], float]  # [s], from any beginning


@dataclass(frozen=True)
class Problem:
    """What a solver is to solve."""

    evaluate: Evaluate  # (batch, steps, width) -> cost (batch,)
    kinematics: Kinematics  # what commands there are
    proposals: Floats  # (n, steps, width) candidates to begin with
    deadline: float  # on `clock` [s]
    clock: Clock = time.perf_counter  # stands still while it is simulated


@dataclass(frozen=True)
class Solution:
    """The best sequence found."""

    actions: Floats  # (steps, width) that `kinematics` allows
    cost: float  # inf if no sequence had a finite one
    evaluated: int  # sequences


@dataclass(frozen=True)
class SearchSize:
    """How much one search imagines at most; the deadline may come first."""

    samples: int  # sequences in an iteration; more: better plans, slower
    iterations: int
    horizon: int  # model steps in a sequence
    width: int = 2  # numbers in a command, see `ami_ros.core.commands`

    def __str__(self) -> str:
        return f"{self.samples} samples x {self.iterations} iterations x {self.horizon} steps"


class Solver(Protocol):
    """A search over sequences of commands. Keeps what it found as the start of the next search. Not thread-safe."""

    def reset(self) -> None:
        """Forgets the last solution, as when the goal changed."""

    def shift(self, fraction: float) -> None:
        """Moves the warm start on by `fraction` of a step, holding the last action."""

    def solve(self, problem: Problem) -> Solution:
        """Searches until its size is used up or the deadline has come; the best so far is the answer. At least one
        batch of candidates is weighed, however late it is."""


class SolverPlugin(Protocol):
    """What an entry point of the group `ami_ros.solvers` names: a class with these two."""

    Config: type[Any]  # a frozen dataclass

    def __call__(self, size: SearchSize, config: Any, seed: int) -> Solver:
        """A solver of that size; `seed` is that of its noise."""


def no_proposals(steps: int, width: int = 2) -> Floats:
    """Proposals for a solver that gets none."""
    return np.zeros((0, steps, width), np.float32)
