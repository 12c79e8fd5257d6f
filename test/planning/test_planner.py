"""The planner on exact kinematics: it gets there, goes round what is in the way, fits its search to the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.bench.rivals import TrueDynamics, true_latent
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, relative, wrap
from ami_ros.core.installation import share
from ami_ros.planning.costs import BUILT_IN as COSTS
from ami_ros.planning.costs import Costs, deciding, times
from ami_ros.planning.imagination import Imagination, integrate
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import Budget, LatentPlanner, PlannerConfig, fit
from ami_ros.planning.protocols import Futures, SearchSize, Target
from ami_ros.planning.solvers import BUILT_IN, SolverConfig
from ami_ros.planning.types import Code
from ami_ros.safety.moving_things import Forecast
from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.latent_model import InferenceModel, load_inference
from ami_ros.world_model.layers import Floats
from harness.exact_model import ExactModel, latent_of

from .conftest import NOTHING, PERIOD, UNHURRIED, robot_at, room_with_box

ORIGIN = latent_of([0.0, 0.0, 0.0])
AHEAD = Target(latent_of([1.0, 0.0, 0.0]), None, True)


def target(robot: Loopback, goal: Array, by: str) -> Target:
    pose = robot.ground_truth().pose
    return Target(
        latent_of(goal) if by != "pose" else None, relative(pose, goal) if by != "latent" else None, final=True
    )


def drive(
    robot: Loopback,
    model: ExactModel,
    goal: Array,
    by: str,
    seconds: float = 12.0,
    config: PlannerConfig = UNHURRIED,
) -> list[Array]:
    """Plans five times a second; returns the poses passed."""
    planner, command, passed = LatentPlanner(model, config), (0.0, 0.0), [robot.ground_truth().pose]
    for _ in range(round(seconds / PERIOD)):
        pose = robot.ground_truth().pose
        scan = robot.observe().scan
        plan = planner.plan(robot.time, latent_of(pose), command, scan, target(robot, goal, by))
        command = (float(plan.commands[0, 0]), float(plan.commands[0, 1]))
        robot.step(command, PERIOD)
        passed.append(robot.ground_truth().pose)
        if np.hypot(*(passed[-1] - goal)[:2]) < 0.08 and abs(relative(goal, passed[-1])[2]) < 0.2:
            break
    return passed


@pytest.mark.parametrize("by", ["latent", "pose", "both"])
def test_it_drives_to_a_goal(model: ExactModel, by: str) -> None:
    goal = np.array([2.8, 2.4, 0.5])
    robot = robot_at(1.2, 1.5, 2.0)
    last = drive(robot, model, goal, by)[-1]
    assert np.hypot(*(last - goal)[:2]) < 0.1 and abs(relative(goal, last)[2]) < 0.25
    assert robot.ground_truth().contacts == 0


def test_it_drives_around_what_stands_in_the_way(model: ExactModel) -> None:
    robot = robot_at(0.8, 2.1, 0.0, room_with_box(2.0, 2.0, 0.5))
    goal = np.array([3.2, 2.0, 0.0])
    passed = np.array(drive(robot, model, goal, "both", 25.0))
    assert np.hypot(*(passed[-1] - goal)[:2]) < 0.15
    assert robot.ground_truth().contacts == 0 and np.abs(passed[:, 1] - 2.0).max() > 0.4


def test_a_plan_has_the_documented_shape_and_predicts_its_poses(model: ExactModel) -> None:
    planner = LatentPlanner(model, UNHURRIED)
    plan = planner.plan(0.0, ORIGIN, (0.0, 0.0), NOTHING, AHEAD)
    horizon, chunk = UNHURRIED.horizon, model.spec.chunk
    assert plan.commands.shape == (horizon * chunk, 2) and plan.poses.shape == (horizon, 3)
    pose = np.zeros(3)
    for linear, angular in plan.commands:
        half = np.array([0.0, 0.0, angular * PERIOD / 2])
        pose = compose(compose(compose(pose, half), [linear * PERIOD, 0.0, 0.0]), half)
    np.testing.assert_allclose(plan.poses[-1], pose, atol=1e-3)
    assert np.hypot(plan.poses[-1, 0] - 1.0, plan.poses[-1, 1]) < 0.15
    assert plan.evaluated == UNHURRIED.solver.samples * UNHURRIED.solver.iterations and plan.seconds > 0


def test_it_turns_to_the_goals_heading_only_at_the_goal_itself(model: ExactModel) -> None:
    there = Target(latent_of([0.0, 0.0, 1.5]), None, True)
    turning = LatentPlanner(model, UNHURRIED).plan(0.0, ORIGIN, (0.0, 0.0), None, there)
    passing = LatentPlanner(model, UNHURRIED).plan(0.0, ORIGIN, (0.0, 0.0), None, replace(there, final=False))
    assert turning.poses[-1, 2] == pytest.approx(1.5, abs=0.3)
    assert turning.cost > passing.cost or abs(passing.poses[-1, 2]) <= abs(turning.poses[-1, 2]) + 0.1


def test_at_the_goal_it_stands_still(model: ExactModel) -> None:
    plan = LatentPlanner(model, UNHURRIED).plan(0.0, ORIGIN, (0.0, 0.0), None, Target(ORIGIN, None, True))
    assert np.abs(plan.commands[:, 0]).max() < 0.06 and np.hypot(*plan.poses[-1, :2]) < 0.05


def test_speeds_stay_within_the_robots_and_the_callers_limits(model: ExactModel) -> None:
    planner = LatentPlanner(model, UNHURRIED)
    far = Target(latent_of([9.0, 3.0, 0.0]), None, True)
    own = planner.plan(0.0, ORIGIN, (0.0, 0.0), None, far).commands
    assert np.abs(own[:, 0]).max() <= UNHURRIED.kinematics.max_linear + 1e-6 and own[:, 0].max() > 0.3
    assert np.abs(own[:, 1]).max() <= UNHURRIED.kinematics.max_angular + 1e-6
    slow = planner.plan(0.2, ORIGIN, (0.0, 0.0), None, far, (0.1, 0.2)).commands
    assert np.abs(slow[:, 0]).max() <= 0.1 + 1e-6 and np.abs(slow[:, 1]).max() <= 0.2 + 1e-6
    behind = Target(latent_of([-2.0, 0.0, 0.0]), None, True)
    planner.reset()
    assert (
        planner.plan(0.0, ORIGIN, (0.0, 0.0), None, behind).commands[:, 0].min()
        >= -UNHURRIED.kinematics.max_reverse - 1e-6
    )


def test_it_does_not_plan_through_a_wall_that_the_model_does_not_know(model: ExactModel) -> None:
    robot = robot_at(3.3, 2.0, 0.0)  # half a metre before the wall
    pose = robot.ground_truth().pose
    beyond = Target(latent_of(compose(pose, [2.0, 0.0, 0.0])), None, True)
    plan = LatentPlanner(model, UNHURRIED).plan(0.0, latent_of(pose), (0.0, 0.0), robot.observe().scan, beyond)
    assert compose(pose, plan.poses)[:, 0].max() < 4.0 - 0.05 - 0.16


def test_the_deadline_ends_the_search_early(model: ExactModel) -> None:
    hurried = LatentPlanner(model, replace(UNHURRIED, deadline=0.0))
    assert hurried.plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD).evaluated == UNHURRIED.solver.samples


def test_a_search_in_simulated_time_is_not_cut_short_by_a_slow_machine(model: ExactModel) -> None:
    """A bench drove otherwise on a machine where other programs ran."""
    hurried = LatentPlanner(model, replace(UNHURRIED, deadline=1e-4), clock=lambda: 7.0)
    plan = hurried.plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD)
    assert plan.evaluated > UNHURRIED.solver.samples and plan.seconds > 0.0
    hurried.reset()
    assert hurried.budget.size == hurried.budget.wanted


def test_replanning_goes_on_from_the_last_plan(model: ExactModel) -> None:
    brief = LatentPlanner(model, replace(UNHURRIED, deadline=0.0, solver=SolverConfig(adapt=False)))
    first = brief.plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD).cost
    costs = [brief.plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD).cost for _ in range(8)]
    assert costs[-1] < first and costs == sorted(costs, reverse=True)
    fresh = []
    for _ in range(5):  # one of them may be lucky
        brief.reset()
        fresh.append(brief.plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD).cost)
    assert np.median(fresh) > costs[-1]


class Broken(ExactModel):
    """Gives `value` for latents or for motions."""

    def __init__(self, part: str, value: float) -> None:
        super().__init__()
        self.part, self.value = part, value

    def step(self, latent: Any, chunk: Any, previous: Any) -> tuple[Any, Any]:
        latents, motions = super().step(latent, chunk, previous)
        broken = (latents if self.part == "latents" else motions) * 0 + self.value
        return (broken, motions) if self.part == "latents" else (latents, broken)


@pytest.mark.parametrize("part", ["latents", "motions"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("by", ["latent", "both"])
@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_model_that_gives_no_finite_future_is_a_coded_failure(part: str, value: float, by: str, name: str) -> None:
    planner = LatentPlanner(Broken(part, value), replace(UNHURRIED, solver=SolverConfig(name)))
    wanted = Target(AHEAD.latent, np.array([1.0, 0.0, 0.0]) if by == "both" else None, True)
    for scan in (None, robot_at(2.0, 2.0, 0.0).observe().scan):
        with pytest.raises(AmiError, match="predictions are not finite") as error:
            planner.plan(0.0, ORIGIN, (0.0, 0.0), scan, wanted)
        assert error.value.code == Code.MODEL_FAILURE


def test_displacements_are_chained_into_poses() -> None:
    motions = np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    poses = integrate(motions)
    for b in range(3):
        pose = np.zeros(3)
        for k in range(5):
            pose = compose(pose, motions[b, k])
            np.testing.assert_allclose(poses[b, k, :2], pose[:2], atol=1e-6)
            assert np.cos(poses[b, k, 2] - pose[2]) == pytest.approx(1.0)


def test_places_to_keep_away_from_are_driven_round(model: ExactModel) -> None:
    """Straight ahead would lead through the middle of the place."""
    planner, pose, command = LatentPlanner(model, UNHURRIED), np.zeros(3), (0.0, 0.0)
    goal, place = np.array([2.0, 0.0, 0.0]), np.array([1.0, 0.05])
    nearest = np.inf
    for k in range(100):
        here = relative(pose, [*place, 0.0])
        wanted = Target(None, relative(pose, goal), True)
        plan = planner.plan(k * PERIOD, latent_of(pose), command, None, wanted, keep_away=np.array([[*here[:2], 0.4]]))
        command = (float(plan.commands[0, 0]), float(plan.commands[0, 1]))
        pose = compose(pose, [command[0] * PERIOD, 0.0, command[1] * PERIOD])
        nearest = min(nearest, float(np.hypot(*(pose[:2] - place))))
    assert np.hypot(*(pose - goal)[:2]) < 0.1 and nearest > 0.38


def test_it_says_that_an_obstacle_decided(model: ExactModel) -> None:
    robot = robot_at(3.3, 2.0, 0.0)
    pose = robot.ground_truth().pose
    beyond = Target(latent_of(compose(pose, [2.0, 0.0, 0.0])), None, True)
    scan = robot.observe().scan
    blocked = LatentPlanner(model, UNHURRIED).plan(0.0, latent_of(pose), (0.0, 0.0), scan, beyond)
    free = LatentPlanner(model, UNHURRIED).plan(0.0, latent_of(pose), (0.0, 0.0), NOTHING, beyond)
    assert deciding(blocked.shares) == "obstacles" and deciding(free.shares) != "obstacles"


def test_without_any_cost_there_is_no_plan(model: ExactModel) -> None:
    silent = from_mapping(
        PlannerConfig, {"costs": {"latent_goal": {"enabled": False}, "smoothness": {"enabled": False}}}
    )
    with pytest.raises(AmiError, match="no enabled cost applies") as error:
        LatentPlanner(model, silent).plan(0.0, ORIGIN, (0.0, 0.0), None, AHEAD)
    assert error.value.code == Code.NO_VALID_PLAN


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_solver_drives_to_a_goal(model: ExactModel, name: str) -> None:
    robot, goal = robot_at(1.2, 1.5, 0.3), np.array([2.8, 2.4, 0.5])
    config = replace(UNHURRIED, solver=SolverConfig(name))
    last = drive(robot, model, goal, "both", config=config)[-1]
    assert np.hypot(*(last - goal)[:2]) < 0.1 and robot.ground_truth().contacts == 0


def test_a_car_drives_to_a_goal_beside_it_without_turning_on_the_spot(model: ExactModel) -> None:
    car = Kinematics("ackermann", max_reverse=0.3, turning_radius=0.4)
    robot, goal = robot_at(1.5, 1.5, 0.0), np.array([2.6, 2.6, 1.5])
    config = replace(UNHURRIED, kinematics=car)
    passed = np.array(drive(robot, model, goal, "both", 40.0, config))
    assert np.hypot(*(passed[-1] - goal)[:2]) < 0.15
    way, turn = np.hypot(*np.diff(passed[:, :2], axis=0).T), np.abs(wrap(np.diff(passed[:, 2])))
    assert (turn <= way / 0.4 + 0.12).all()  # motors lag differently, so that it is off by a little


def test_on_a_slow_machine_searches_become_smaller_when_a_new_goal_comes(model: ExactModel) -> None:
    planner = LatentPlanner(model, replace(UNHURRIED, deadline=1e-4))
    for k in range(5):
        planner.plan(0.2 * k, ORIGIN, (0.0, 0.0), None, AHEAD)
    planner.reset()
    assert planner.budget.size == SearchSize(32, 2, 4)
    assert planner.plan(2.0, ORIGIN, (0.0, 0.0), None, AHEAD).poses.shape == (4, 3)
    fixed = LatentPlanner(model, replace(UNHURRIED, deadline=1e-4, solver=SolverConfig(adapt=False)))
    for k in range(5):
        fixed.plan(0.2 * k, ORIGIN, (0.0, 0.0), None, AHEAD)
    fixed.reset()
    assert fixed.budget.size.samples == SolverConfig().samples


# The model that ships


@pytest.fixture(scope="module")
def general() -> InferenceModel:
    model = load_inference(share("models", "general")).model
    assert isinstance(model, InferenceModel)
    return model


def moment_of(model: InferenceModel) -> tuple[Floats, Target]:
    """A latent that the model may have, and a goal."""
    here, there = np.random.default_rng(0).normal(size=(2, model.spec.latent_dim)).astype(np.float32)
    return here, Target(there, np.array([1.0, 0.4, 0.3]), True)


def kinds_of(*values: Any) -> set[str]:
    """Of all numbers in arrays and tensors, in tuples and futures as well."""
    kinds = {str(value.dtype).removeprefix("torch.") for value in values if hasattr(value, "dtype")}
    parts = [value for value in values if isinstance(value, tuple)]
    parts += [tuple(vars(value).values()) for value in values if isinstance(value, Futures)]
    return kinds.union(*(kinds_of(*part) for part in parts))


def walker(horizon: int, step_duration: float) -> Forecast:
    """Somebody who crosses the robot's way."""
    seconds = times(horizon, step_duration)
    return Forecast(
        seconds, np.array([[1.0, -1.5]]) + seconds[None, :, None] * [0.0, 1.0], np.full((1, len(seconds)), 0.2),
        np.array([np.pi / 2]), np.array([1.0]), np.array([0.3]),
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_plan_is_made_in_single_precision_throughout(
    general: InferenceModel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One number in double precision makes all that follows from it so, at twice the price."""
    found: dict[str, set[str]] = {}

    def watched(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*given: Any, **more: Any) -> Any:
            result = function(*given, **more)
            found.setdefault(what, set()).update(kinds_of(*given, result))
            return result

        return watching

    model = general.private_copy()
    for function in ("rollout", "relative_pose", "path_disagreement"):
        monkeypatch.setattr(model, function, watched(function, getattr(model, function)))
    for owner, function in ((Imagination, "evaluate"), (Kinematics, "project"), (Kinematics, "primitives")):
        monkeypatch.setattr(owner, function, watched(function, getattr(owner, function)))
    at = Costs.at
    monkeypatch.setattr(Costs, "at", lambda self, scene: {k: watched(k, c) for k, c in at(self, scene).items()})

    values = {"solver": {"name": name}, "deadline": 60.0}
    planner = LatentPlanner(model, from_mapping(PlannerConfig, {**values, "robot_middle": 0.05}))
    here, target = moment_of(model)
    scan, driven = robot_at(2.0, 2.0, 0.0).observe().scan, np.full((2, 3, 2), 0.2)
    limits, away = (np.float64(0.3), np.float64(1.0)), np.array([[1.0, 1.0, 0.3]])
    others = walker(planner.config.horizon, model.spec.step_duration)
    for stamp in (0.0, 0.13):
        plan = planner.plan(stamp, here, (np.float64(0.1), 0.0), scan, target, limits, away, driven, others)
    assert np.isfinite(plan.cost)
    assert {*COSTS, "evaluate", "rollout", "relative_pose", "project", "primitives"} <= set(found)
    assert {what: kinds for what, kinds in found.items() if kinds != {"float32"}} == {}


def test_a_search_needs_no_learned_model() -> None:
    dynamics = TrueDynamics(ExactModel().spec)
    there = Target(true_latent(np.array([1.0, 0.0, 0.0])), None, True)
    plan = LatentPlanner(dynamics, UNHURRIED).plan(0.0, true_latent(np.zeros(3)), (0.0, 0.0), None, there)
    assert np.hypot(plan.poses[-1, 0] - 1.0, plan.poses[-1, 1]) < 0.3


# The size of a search follows what the machine can do


WANTED = SearchSize(128, 3, 7)
ITERATION = WANTED.samples * WANTED.horizon  # model steps


def seconds(size: SearchSize, pace: float) -> float:
    return pace * size.samples * size.iterations * size.horizon


def test_a_fast_machine_does_what_is_configured() -> None:
    assert fit(WANTED, 0.08, 0.01 / ITERATION) == WANTED
    assert fit(WANTED, 0.08, 0.0) == WANTED


@pytest.mark.parametrize(
    ("iteration", "expected"),
    [
        (0.030, SearchSize(128, 2, 7)),
        (0.040, SearchSize(64, 3, 7)),
        (0.100, SearchSize(32, 2, 7)),
        (0.160, SearchSize(32, 2, 5)),
        (9.0, SearchSize(32, 2, 4)),
    ],
)
def test_slower_machines_give_up_iterations_then_samples_then_horizon(iteration: float, expected: SearchSize) -> None:
    assert fit(WANTED, 0.08, iteration / ITERATION) == expected


@given(st.integers(2, 600), st.integers(1, 40), st.integers(1, 12), st.floats(1e-9, 1e-2), st.floats(0.0, 1.0))
def test_it_fits_if_anything_does_and_never_exceeds_what_is_wanted(
    samples: int, iterations: int, horizon: int, pace: float, deadline: float
) -> None:
    wanted = SearchSize(samples, iterations, horizon)
    size = fit(wanted, deadline, pace)
    assert size.samples <= samples and size.iterations <= iterations and size.horizon <= horizon
    least = SearchSize(min(samples, 32), min(iterations, 2), min(horizon, 4))
    assert seconds(size, pace) <= 0.8 * deadline + 1e-9 or size == least


def test_one_slow_search_among_many_changes_nothing() -> None:
    budget = Budget(WANTED, 0.08)
    for took in [0.03] * 9 + [0.5]:
        budget.note(128 * 3, took)
    assert budget.fit() == WANTED


def test_it_says_what_it_chose_and_grows_again_when_the_machine_is_free() -> None:
    budget = Budget(WANTED, 0.08)
    for _ in range(60):
        budget.note(128, 0.1)
    assert budget.fit() == SearchSize(32, 2, 7)
    assert (
        str(budget) == f"searches of 32 samples x 2 iterations x 7 steps instead of {WANTED}, which would be late: "
        "50 of 80 ms"
    )
    for _ in range(60):
        budget.note(64, 0.005)
    assert budget.fit() == WANTED and "instead" not in str(budget)


def test_nothing_is_concluded_from_the_first_searches() -> None:
    budget = Budget(replace(WANTED, samples=64), 0.08)
    for _ in range(3):
        budget.note(64, 5.0)
    assert budget.fit() == replace(WANTED, samples=64)
