"""Latent model-predictive control: imagine, weigh, choose, as much as fits the deadline on this machine."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, Disc
from ami_ros.core.scan import Scan
from ami_ros.planning.costs import Costs, CostsConfig, CostShare, cost_shares
from ami_ros.planning.imagination import GeometricConfig, GeometricProposals, Imagination
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Clock, Dynamics, Problem, Scene, SearchSize, Target
from ami_ros.planning.solvers import SolverConfig, make_solver
from ami_ros.planning.types import Code
from ami_ros.safety.moving_things import Forecast, PredictionConfig
from ami_ros.world_model.layers import Floats


@dataclass(frozen=True)
class BudgetConfig:
    """How much of the deadline a search may take, and how small it may get."""

    share: float = 0.8  # of the deadline is for the search; the rest of a plan needs the remainder
    samples: int = 32  # of a search that ranks futures little better than guessing: no smaller one is chosen ...
    iterations: int = 2  # ... likewise ...
    horizon: int = 4  # ... likewise
    enough: int = 4  # searches, before the size is changed


class Budget:
    """Watches how long searches take, and fits their size to it.

    Args:
        wanted: the configured size; it is never exceeded.
        deadline: of one search [s].
        config: see there.
    """

    def __init__(self, wanted: SearchSize, deadline: float, config: BudgetConfig = BudgetConfig()) -> None:
        self.wanted, self.deadline, self.config = wanted, deadline, config
        self.size = wanted
        self._paces: deque[float] = deque(maxlen=50)

    @property
    def pace(self) -> float:
        """Time of one model step of one sequence [s]; a low one among the recent, since others may be slowed down."""
        return float(np.quantile(self._paces, 0.25)) if len(self._paces) >= self.config.enough else 0.0

    def note(self, evaluated: int, seconds: float) -> None:
        """A search of `evaluated` sequences took `seconds`."""
        self._paces.append(seconds / (evaluated * self.size.horizon))

    def fit(self) -> SearchSize:
        """The size of searches from now on."""
        self.size = fit(self.wanted, self.deadline, self.pace, self.config)
        return self.size

    def __str__(self) -> str:
        """What was chosen, and why."""
        size, wanted = self.size, self.wanted
        took = self.pace * size.samples * size.iterations * size.horizon
        why = "" if size == wanted else f" instead of {wanted}, which would be late"
        return f"searches of {size}{why}: {1000 * took:.0f} of {1000 * self.deadline:.0f} ms"


def fit(wanted: SearchSize, deadline: float, pace: float, config: BudgetConfig = BudgetConfig()) -> SearchSize:
    """The largest search, at most `wanted`, that fits; it gives up iterations first, then samples, then horizon.

    Iterations go first because each brings less than the one before. What is below the least
    ranks futures little better than guessing, and is not chosen even if it were in time: then the deadline cuts the
    search short.

    Args:
        wanted: the configured size.
        deadline: of one search [s].
        pace: how long one model step of one sequence takes [s]; 0: not known, everything fits.
        config: see there.
    """
    if not pace > 0:
        return wanted
    size, fewest = wanted, min(wanted.iterations, config.iterations)
    while True:
        possible = int(config.share * deadline / (pace * size.samples * size.horizon))
        if possible >= fewest:
            return replace(size, iterations=min(wanted.iterations, possible))
        if size.samples > config.samples:
            size = replace(size, samples=max(config.samples, size.samples // 2))
        elif size.horizon > config.horizon:
            size = replace(size, horizon=size.horizon - 1)
        else:
            return replace(size, iterations=fewest)


@dataclass(frozen=True)
class PlannerConfig:
    """The robot, the horizon, the search, and what counts."""

    horizon: int = 7  # model steps imagined; larger looks farther, takes longer and errs more
    deadline: float = 0.04  # [s] for one search; larger finds better plans, later
    robot_radius: float = 0.18  # [m] of the disc that holds the robot; larger keeps farther off and passes fewer gaps
    robot_middle: float = 0.0  # [m] of that disc ahead of base_link; negative where the robot is longer behind
    kinematics: Kinematics = field(default_factory=Kinematics)
    solver: SolverConfig = field(default_factory=SolverConfig)
    costs: CostsConfig = field(default_factory=CostsConfig)
    geometric: GeometricConfig = field(default_factory=GeometricConfig)
    prediction: PredictionConfig = field(default_factory=PredictionConfig)

    @property
    def disc(self) -> Disc:
        """That holds the robot, and must not touch anything."""
        return Disc(self.robot_radius, self.robot_middle)


@dataclass(frozen=True)
class Plan:
    """The best future found."""

    commands: Array  # (horizon * chunk, width), see `ami_ros.core.commands`; each held for one model period
    poses: Array  # (horizon, 3) expected after each model step, in base_link now
    others: Array  # (n, horizon, 3) of some other futures, likewise
    cost: float
    evaluated: int  # sequences imagined
    seconds: float  # spent
    shares: tuple[CostShare, ...]  # of each cost


class LatentPlanner:
    """Plans from one moment; keeps the last plan as a warm start. Not thread-safe.

    Args:
        model: what imagines.
        config: robot, search and costs.
        seed: of the search's noise.
        clock: of deadlines; in simulated time thinking takes what the bus charges for it.

    Raises:
        AmiError: no such solver or cost, options that it does not know, or a model of a different kind of robot.
    """

    def __init__(self, model: Dynamics, config: PlannerConfig, seed: int = 0, clock: Clock = time.perf_counter) -> None:
        self.model, self.config, self._seed, self._clock = model, config, seed, clock
        robot, known = config.kinematics, model.spec.command_dim
        if robot.width != known:
            raise AmiError(
                f"planner: the model has commands of {known} numbers, but the drive {robot.drive} takes {robot.width}; "
                "set kinematics.drive, or use a model that was trained on such a robot"
            )
        self.costs = Costs(config.costs)
        wanted = SearchSize(config.solver.samples, config.solver.iterations, config.horizon, robot.width)
        self.budget = Budget(wanted, config.deadline)
        self.solver = make_solver(config.solver, wanted, seed)
        self.geometric = GeometricProposals(config.geometric, config.costs.latent_goal, seed, clock)
        self._stamp: float | None = None

    def reset(self) -> None:
        """Forgets the last plan, and fits the size of searches to this machine (`budget`)."""
        self._stamp = None
        before = self.budget.size
        if self.config.solver.adapt and self.budget.fit() != before:
            self.solver = make_solver(self.config.solver, self.budget.size, self._seed)
        else:
            self.solver.reset()

    @np.errstate(over="ignore", invalid="ignore")  # of what is not finite its cost tells
    def plan(
        self,
        stamp: float,
        latent: Floats,
        previous: Command,
        scan: Scan | None,
        target: Target,
        speed_limit: tuple[float, ...] | None = None,
        keep_away: Array | None = None,
        experience: Array | None = None,
        forecast: Forecast | None = None,
        retreat: bool = False,
    ) -> Plan:
        """Searches for the commands that lead to `target`.

        Args:
            stamp: of the moment [s]; the warm start is moved on by the time since the last call.
            latent: (latent_dim,) of the moment.
            previous: command in force; zero in what it does not say.
            scan: of the moment, in base_link; None without a scanner: no obstacles are known.
            target: where to.
            speed_limit: greatest speeds [m/s, rad/s] and perhaps backwards and sideways [m/s] for this call; can only
                lower the configured ones.
            keep_away: (n, 3) places not to enter: x, y in base_link now, radius [m]; None: there are none.
            experience: (n, steps, width) commands that were driven in situations like this one, as candidates; those
                that are shorter than the horizon go on as they end.
            forecast: of what moves, in base_link now, at `costs.people.times` of the horizon; None: nothing does.
            retreat: whether it may back up as fast as `max_retreat` says, not only as `max_reverse` does.

        Raises:
            AmiError: `Code.MODEL_FAILURE` if the model gives no finite cost for any sequence.
        """
        began, wall = self._clock(), time.perf_counter()
        if self._stamp is not None:
            self.solver.shift((stamp - self._stamp) / self.model.spec.step_duration)
        self._stamp = stamp
        own = self.config.kinematics
        if retreat:
            own = replace(own, max_reverse=max(own.max_reverse, own.max_retreat))
        limited = own.limited(*speed_limit) if speed_limit is not None else own
        # Costs use the robot's own limits: a temporary lower one must not change what is smooth.
        circles = np.zeros((0, 3)) if keep_away is None else keep_away
        scene = Scene(self.model, own, self.config.disc, target, scan, circles, forecast)
        costs = self.costs.at(scene)
        if not costs:
            raise AmiError("planner: no enabled cost applies to this goal; see costs.*", Code.NO_VALID_PLAN)
        imagination = Imagination(self.model, latent, previous, costs)
        proposals, deadline = self._candidates(limited, experience), began + self.config.deadline
        geometric = self.geometric.propose(imagination, scene, limited, proposals.shape[1], deadline)
        proposals = np.concatenate([geometric, proposals])
        found = self.solver.solve(Problem(imagination.evaluate, limited, proposals, deadline, self._clock))
        if not np.isfinite(found.cost):
            self.reset()
            raise AmiError(
                "planner: the world model's predictions are not finite; check its weights", Code.MODEL_FAILURE
            )
        others, best = imagination.terms, imagination.foresee(found.actions)
        plan = Plan(
            commands=found.actions.repeat(self.model.spec.chunk, 0).astype(np.float64),
            poses=best.poses.astype(np.float64),
            others=imagination.sample(16).astype(np.float64),
            cost=found.cost,
            evaluated=found.evaluated,
            seconds=time.perf_counter() - wall,
            shares=cost_shares(list(costs), best.terms, others),
        )
        self.budget.note(plan.evaluated, self._clock() - began)
        return plan

    def _candidates(self, robot: Kinematics, experience: Array | None) -> Floats:
        """Sequences (n, horizon, width) that need no model: primitives, and what was driven here before."""
        steps = self.budget.size.horizon
        primitives = robot.primitives(steps)
        if experience is None or not len(experience):
            return primitives
        driven = experience[:, :steps].astype(np.float32)
        rest = driven[:, -1:].repeat(steps - driven.shape[1], 1)
        return np.concatenate([primitives, np.concatenate([driven, rest], 1)])
