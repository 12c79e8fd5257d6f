"""Solvers against each other on the same model, cost and moments: who is how good, how soon."""

from __future__ import annotations

import contextlib
import importlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.bench.scenario import Part, Report, Row, model_at
from ami_ros.bench.trials import GoalSampler
from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from ami_ros.planning.costs import Costs
from ami_ros.planning.imagination import GeometricProposals, Imagination
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.protocols import Evaluate, Problem, Scene, SearchSize, Target, no_proposals
from ami_ros.planning.solvers import BUILT_IN, Icem, IcemConfig, SolverConfig, make_solver
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.latent_model import Model
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.torch_model import LoadedModel, load_model

SAMPLES, ITERATIONS, ELITES, HORIZON = 300, 30, 30, 5  # as published for LeWM (arXiv 2603.19312) and as its defaults
RIVALS = ("swm_cem", "swm_mppi")
FOREVER = float("inf")


@dataclass(frozen=True)
class Solvers:
    """How soon each solver has how good a plan: same model, cost and moments, on one thread."""

    world: str = "home"  # a world, a world file, or building:SEED
    moments: int = 20  # starts with a near goal each
    tolerance: float = 0.01  # [m] by which a plan may cost more and counts as equal
    rivals: bool = True  # those of stable-worldmodel (the extra swm); false: our own iCEM of their size
    model: str = ""  # folder; empty: the one that ships

    def parts(self) -> Sequence[Part]:
        return [Part("solvers")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        rivals = load_rivals() if self.rivals else {}
        loaded = load_model(model_at(self.model, "onboard"))
        report("rendering moments")
        moments = sample_cases(loaded, self.world, self.moments, seed)
        yield from race(on_arrays(loaded.model), moments, rivals, seed, self.tolerance, report)


def load_rivals() -> dict[str, Any]:
    """Its solver classes by our names for them.

    Raises:
        AmiError: stable-worldmodel is not installed, or does not import.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of simulators that it could use and are not installed
            solvers = importlib.import_module("stable_worldmodel.solver")
    except ImportError as error:
        raise AmiError(
            f"bench solver: stable_worldmodel is not there ({error}); install the extra with `./ami shell pip install "
            "-r requirements/swm.txt`, or compare our own solvers only: --set options.rivals=false"
        ) from error
    return dict(zip(RIVALS, (solvers.CEMSolver, solvers.MPPISolver), strict=True))


class _Costs:
    """Our problem as solvers of stable-worldmodel (Maes et al., arXiv 2605.21800) see one: actions in units of half the
    commands' range around their middle."""

    def __init__(self, problem: Problem) -> None:
        self._evaluate, self._kinematics = problem.evaluate, problem.kinematics

    def commands(self, actions: Tensor) -> Floats:
        """Commands (..., 2) that the robot can carry out for actions (..., 2)."""
        kinematics = self._kinematics
        middle = (kinematics.high + kinematics.low) / 2
        return kinematics.project(middle + kinematics.half_range * actions.detach().numpy())

    def get_cost(self, info: dict[str, Tensor], actions: Tensor) -> Tensor:
        """Actions (1, samples, horizon, 2) -> costs (1, samples)."""
        return torch.from_numpy(self._evaluate(self.commands(actions[0])))[None]


def solve_with(solver: Callable[..., Any], problem: Problem, seed: int) -> Floats:
    """The commands (horizon, 2) that a rival finds for `problem` with its published settings, starting from nothing."""
    import gymnasium

    costs = _Costs(problem)
    rival = solver(costs, num_samples=SAMPLES, n_steps=ITERATIONS, topk=ELITES, seed=seed)
    space = gymnasium.spaces.Box(-1.0, 1.0, shape=(1, 2))
    rival.configure(action_space=space, n_envs=1, config=SimpleNamespace(horizon=HORIZON, action_block=1))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how long it took
        found = rival.solve({"moment": torch.zeros(1, 1)})
    return costs.commands(found["actions"][0])


@dataclass(frozen=True)
class PlanningCase:
    """A start and a goal, as the model sees them."""

    latent: NDArray[np.float32]  # (latent_dim,) at the start, at rest
    scan: Scan  # at the start
    goal: NDArray[np.float32]  # (latent_dim,) of the goal's picture


def sample_cases(loaded: LoadedModel, world: str, count: int, seed: int) -> list[PlanningCase]:
    """`count` starts anywhere in `world`, each with a near goal; rendered by the simulator's own camera."""
    simulator, perception = Simulator(world, seed=seed), Perception(loaded.model)
    space = FreeSpace(simulator.world)
    goals, rng = GoalSampler(space, seed), np.random.default_rng(seed)
    cases = []
    for index in range(count):
        start = space.sample_pose(rng)
        goal = goals.sample(2 * index, start).pose  # near goals have the even numbers
        simulator.place(start)
        seen = simulator.observe()
        latent = perception.encode(seen.image, seen.scan)
        picture = perception.encode_goal(simulator.photograph(goal))
        cases.append(PlanningCase(latent, seen.scan, picture))
    return cases


class Trace:
    """Watches a search: when it had which best cost."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate, self.began = evaluate, time.perf_counter()
        self.best: list[tuple[float, float]] = []  # (seconds since the start, best cost so far), one a batch

    def evaluate(self, actions: Floats) -> Floats:
        """See `Problem`."""
        cost = self._evaluate(actions)
        before = self.best[-1][1] if self.best else FOREVER
        self.best.append((time.perf_counter() - self.began, min(float(cost.min()), before)))
        return cost

    def time_to(self, cost: float) -> float:
        """Seconds until the best cost was at most `cost`; inf if it never was."""
        return next((t for t, c in self.best if c <= cost), FOREVER)


def race(
    model: Model, moments: list[PlanningCase], rivals: Mapping[str, Any], seed: int, tolerance: float,
    report: Report = lambda what: None,
) -> Iterator[Row]:  # fmt: skip
    """Runs all solvers on one moment after the other; a row for each lane: a solver, and what it starts from.

    The yardstick is the first of `rivals`, or without any our iCEM with as many samples and iterations. All have the
    same horizon, cost and kinematics. `equal_ms` is the time to the yardstick's final cost, of the yardstick itself,
    too: until it first had that. "from nothing" a solver has its zero mean alone, as rivals do; "warm" it has
    primitives and plans by geometry, whose time counts. Ours search at their usual size, again and again, until they
    have that cost or have taken as long as the yardstick's whole search.

    Args:
        model: what imagines.
        moments: to plan from.
        rivals: as `load_rivals` gives them.
        seed: of noise.
        tolerance: [m] by which a cost may be higher and still counts as equal.
        report: is told how far it is.
    """
    usual = SolverConfig()
    size = SearchSize(usual.samples, usual.iterations, HORIZON)
    large = SearchSize(SAMPLES, ITERATIONS, HORIZON)
    yardsticks = list(rivals) or ["yardstick"]
    for index, moment in enumerate(moments):
        report(f"moment {index + 1} of {len(moments)}")
        target = least = patience = FOREVER
        for name in yardsticks:
            trace, problem = _problem(model, moment, False)
            if name not in rivals:
                found = Icem(large, IcemConfig(), seed + index).solve(problem).actions
            else:
                found = solve_with(rivals[name], problem, seed + index)
            took = time.perf_counter() - trace.began
            cost = float(trace.evaluate(found[None])[0])
            if name == yardsticks[0]:
                target, least, patience = cost + tolerance, cost, took
            yield _row(index, f"{name} from nothing", took, cost - least, trace.time_to(target))
        for name, warm in product(BUILT_IN, (False, True)):
            trace, problem = _problem(model, moment, warm)
            solver = make_solver(SolverConfig(name), size, seed + index)
            cost = solver.solve(problem).cost
            took = time.perf_counter() - trace.began
            while trace.time_to(target) == FOREVER and time.perf_counter() - trace.began < patience:
                solver.solve(problem)
            start = "warm" if warm else "from nothing"
            yield _row(index, f"{name} {start}", took, cost - least, trace.time_to(target))


def _row(index: int, lane: str, seconds: float, above: float, to_equal: float) -> Row:
    equal = to_equal < FOREVER
    return {
        "moment": index, "lane": lane, "search_ms": round(1000 * seconds, 2), "above_mm": round(1000 * above, 2),
        "equal": equal, "equal_ms": round(1000 * to_equal, 2) if equal else None,
    }  # fmt: skip


def _problem(model: Model, moment: PlanningCase, proposals: bool) -> tuple[Trace, Problem]:
    """The search for the goal of `moment`, watched; with what ours begin with, if `proposals`."""
    robot, config = Kinematics(), PlannerConfig()
    scene = Scene(model, robot, config.disc, Target(moment.goal, None, True), moment.scan)
    costs = Costs(config.costs)
    imagination = Imagination(model, moment.latent, (0.0, 0.0), costs.at(scene))
    trace, start = Trace(imagination.evaluate), no_proposals(HORIZON)
    if proposals:
        geometric = GeometricProposals(config.geometric, config.costs.latent_goal, seed=0).propose(
            imagination, scene, robot, HORIZON, FOREVER
        )
        start = np.concatenate([geometric, robot.primitives(HORIZON)])
    return trace, Problem(trace.evaluate, robot, start, FOREVER)
