"""Mode 1: the policy as a candidate, alone where searches come too late, and alone altogether."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.planning.budget import ENOUGH
from ami_ros.planning.geometric_proposals import GeometricConfig
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.mode_one import PROBE, ModeOne, ModeOneConfig
from ami_ros.planning.planner import LatentPlanner, Plan
from ami_ros.planning.protocols import Target
from ami_ros.planning.types import Mode
from ami_ros.world_model.arrays import Floats
from harness.exact_model import ExactModel, KnowingModel, latent_of, pose_of

from .conftest import NOTHING, UNHURRIED, robot_at

ORIGIN = latent_of([0.0, 0.0, 0.0])
AHEAD = Target(latent_of([1.0, 0.3, 0.4]), None, True)


def planner_with(model: ExactModel, **use: object) -> LatentPlanner:
    return LatentPlanner(model, replace(UNHURRIED, mode_one=ModeOneConfig(**use)))  # type: ignore[arg-type]


def plan_of(planner: LatentPlanner, stamp: float = 0.0, target: Target = AHEAD) -> Plan:
    return planner.plan(stamp, ORIGIN, (0.0, 0.0), NOTHING, target)


def make_late(planner: LatentPlanner) -> None:
    for _ in range(ENOUGH):
        planner.budget.note(1, 10 * planner.config.deadline)


def end_of(model: ExactModel, actions: Floats) -> Floats:
    """The latent to which actions (steps, 2) lead from `ORIGIN`."""
    chunks = actions[None, :, None].repeat(model.spec.chunk, 2)
    latents: Floats = model.rollout(ORIGIN[None], chunks, np.zeros((1, 2), np.float32))[0]
    return latents[0, -1]


def test_the_policy_is_rolled_out_through_the_model_within_the_limits_of_the_robot() -> None:
    model, slow = KnowingModel(), Kinematics(max_linear=0.2)
    mode_one = ModeOne(model, ModeOneConfig())
    impulse = mode_one.imagine(ORIGIN, np.zeros(2, np.float32), latent_of([0.6, 0.0, 0.0]), 6, slow)
    assert impulse.actions.shape == (6, 2) and impulse.actions.dtype == np.float32
    assert impulse.actions[:, 0].max() == pytest.approx(0.2)
    end = pose_of(end_of(model, impulse.actions))
    assert np.hypot(end[0] - 0.6, end[1]) < 0.11, "each answer is for where the one before led to"


def test_it_drives_alone_only_where_searches_are_late_and_the_model_is_sure() -> None:
    sure, unsure = planner_with(KnowingModel()), planner_with(KnowingModel(doubt=0.9))
    assert plan_of(sure).mode == Mode.SEARCHED
    for planner in (sure, unsure):
        make_late(planner)
    assert plan_of(sure, 0.2).mode == Mode.IMPULSE and plan_of(unsure, 0.2).mode == Mode.SEARCHED
    wall = Target(latent_of([0.0, 0.0, 0.0]), None, True)
    assert plan_of(sure, 0.4, wall).mode == Mode.SEARCHED, "moving is no better than standing: that wants thought"


def test_after_a_while_alone_a_search_tries_whether_it_is_in_time_again() -> None:
    planner = planner_with(KnowingModel())
    make_late(planner)
    modes = [plan_of(planner, 0.2 * k).mode for k in range(PROBE + 2)]
    assert modes == [Mode.IMPULSE] * PROBE + [Mode.SEARCHED] + [Mode.IMPULSE]


@pytest.mark.parametrize(("alone", "mode"), [("never", Mode.SEARCHED), ("always", Mode.IMPULSE)])
def test_it_can_be_forbidden_and_can_be_all_there_is(alone: str, mode: Mode) -> None:
    planner = planner_with(KnowingModel(doubt=0.9), alone=alone)
    make_late(planner)
    assert plan_of(planner).mode == mode


@pytest.mark.parametrize("target", [Target(None, np.array([1.0, 0.0, 0.0]), True), AHEAD])
def test_without_a_policy_or_a_latent_there_is_a_search(target: Target) -> None:
    model = KnowingModel() if target.latent is None else ExactModel()
    planner = planner_with(model, alone="always")
    assert plan_of(planner, 0.0, target).mode == Mode.SEARCHED


def test_mode_one_alone_reaches_a_goal() -> None:
    model, robot = KnowingModel(), robot_at(1.0, 1.0, 0.0)
    planner, goal = planner_with(model, alone="always"), np.array([2.2, 1.8, 0.5])
    command = (0.0, 0.0)
    for _ in range(60):
        latent = latent_of(robot.ground_truth().pose)
        plan = planner.plan(robot.time, latent, command, None, Target(latent_of(goal), None, True))
        command = (float(plan.commands[0, 0]), float(plan.commands[0, 1]))
        robot.step(command, 0.2)
    assert np.hypot(*(robot.ground_truth().pose - goal)[:2]) < 0.15


def test_what_was_driven_here_before_is_a_candidate() -> None:
    """In a search that may not sample, the best of the candidates is the answer."""
    solver = replace(UNHURRIED.solver, samples=2, iterations=1, adapt=False)
    planner = LatentPlanner(ExactModel(), replace(UNHURRIED, solver=solver, geometric=GeometricConfig(proposals=0)))
    model = ExactModel()
    curve = np.array([[0.35, 1.2]] * 3 + [[0.35, -1.0]] * 4)
    end = end_of(model, curve.astype(np.float32))
    plain = plan_of(planner, 0.0, Target(end, None, True))
    planner.reset()
    helped = planner.plan(0.2, ORIGIN, (0.0, 0.0), NOTHING, Target(end, None, True), experience=curve[None])
    assert helped.cost < plain.cost
    np.testing.assert_allclose(helped.commands, curve.repeat(model.spec.chunk, 0), atol=1e-6)
    planner.reset()
    shorter = planner.plan(0.4, ORIGIN, (0.0, 0.0), NOTHING, Target(end, None, True), experience=curve[None, :5])
    assert len(shorter.commands) == len(helped.commands), "it goes on as it ends"
