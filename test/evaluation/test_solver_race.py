"""The race: equal conditions, and figures that say who was how good."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from ami_ros.errors import AmiError
from ami_ros.evaluation.planning_cases import PlanningCase
from ami_ros.evaluation.solver_race import YARDSTICK, Trace, percentiles_ms, race
from ami_ros.evaluation.swm import rivals
from ami_ros.planning.solvers.registry import BUILT_IN
from ami_ros.scan import Scan
from ami_ros.world_model.arrays import Floats
from ami_ros.world_model.by_torch import ByTorch
from harness.exact_model import ExactModel, latent_of

EXACT = ByTorch(ExactModel())
CLEAR = Scan(np.full(72, np.inf, np.float32), -np.pi, np.pi / 36)


def moment(goal: list[float]) -> PlanningCase:
    pose = np.array(goal)
    return PlanningCase(latent_of(np.zeros(3)), CLEAR, latent_of(pose), np.zeros(3), pose)


def test_a_trace_knows_when_which_cost_was_first_had_with_a_gradient_or_without() -> None:
    def evaluate(actions: Floats) -> Floats:
        return np.asarray(actions.sum((1, 2)))

    trace = Trace(evaluate, lambda actions: (evaluate(actions), np.ones_like(actions)))
    batches = [np.full((2, 1, 1), value, np.float32) for value in (3.0, 1.0, 2.0)]
    assert trace.evaluate(batches[0]).tolist() == [3.0, 3.0]
    cost, slope = trace.gradients(batches[1])
    assert cost.tolist() == [1.0, 1.0] and (slope == 1.0).all()
    trace.evaluate(batches[2])
    assert [cost for _, cost in trace.best] == [3.0, 1.0, 1.0]
    assert trace.time_to(3.0) <= trace.time_to(1.5) == trace.time_to(1.0) < trace.time_to(0.5) == math.inf


def test_every_solver_runs_on_every_moment_and_the_yardstick_leads() -> None:
    moments = [moment([0.8, 0.2, 0.5]), moment([-0.4, 0.4, 2.0])]
    *_, lanes = race(EXACT, moments, {}, 0, 0.05)
    assert list(lanes) == [YARDSTICK, *BUILT_IN]
    assert all(len(x) == 2 for lane in lanes.values() for x in (lane.seconds, lane.cost, lane.to_equal))
    assert lanes[YARDSTICK].to_equal == lanes[YARDSTICK].seconds
    best = np.array(lanes[YARDSTICK].cost)
    assert (best < 0.6).all(), "the yardstick found no way to a goal without anything in between"
    assert any(np.isfinite(lanes[name].to_equal).all() for name in BUILT_IN)


def test_rivals_run_on_our_problem_with_their_published_settings() -> None:
    pytest.importorskip("stable_worldmodel", reason="the extra swm")
    found = rivals.load_rivals()
    assert tuple(found) == rivals.RIVALS
    *_, lanes = race(EXACT, [moment([0.8, 0.2, 0.5])], found, 0, 0.05)
    assert list(lanes)[:2] == list(rivals.RIVALS) and lanes["swm_cem"].size.startswith("300 samples x 30 iterations")
    assert lanes["swm_cem"].cost[0] < 0.6


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_worldmodel.solver", None)
    with pytest.raises(AmiError, match=r"requirements/swm\.txt.*--without-swm"):
        rivals.load_rivals()


def test_what_too_many_never_reached_has_no_median() -> None:
    assert percentiles_ms([0.001, 0.002, math.inf]).tolist() == [2.0, math.inf]
    assert percentiles_ms([0.001, math.inf, math.inf])[0] == math.inf
