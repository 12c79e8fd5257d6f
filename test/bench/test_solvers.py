"""The race: equal conditions, and figures that say who was how good."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from ami_ros.bench import solvers as rivals
from ami_ros.bench.solvers import PlanningCase, Trace, race
from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from ami_ros.planning.solvers import BUILT_IN
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.layers import Floats
from harness.exact_model import ExactModel, latent_of

EXACT = on_arrays(ExactModel())
CLEAR = Scan(np.full(72, np.inf, np.float32), -np.pi, np.pi / 36)


def moment(goal: list[float]) -> PlanningCase:
    return PlanningCase(latent_of(np.zeros(3)), CLEAR, latent_of(np.array(goal)))


def test_a_trace_knows_when_which_cost_was_first_had() -> None:
    def evaluate(actions: Floats) -> Floats:
        return np.asarray(actions.sum((1, 2)))

    trace = Trace(evaluate)
    batches = [np.full((2, 1, 1), value, np.float32) for value in (3.0, 1.0, 2.0)]
    assert trace.evaluate(batches[0]).tolist() == [3.0, 3.0]
    assert trace.evaluate(batches[1]).tolist() == [1.0, 1.0]
    trace.evaluate(batches[2])
    assert [cost for _, cost in trace.best] == [3.0, 1.0, 1.0]
    assert trace.time_to(3.0) <= trace.time_to(1.5) == trace.time_to(1.0) < trace.time_to(0.5) == math.inf


def test_every_solver_runs_on_every_moment_from_nothing_and_warm() -> None:
    moments = [moment([0.8, 0.2, 0.5]), moment([-0.4, 0.4, 2.0])]
    rows = list(race(EXACT, moments, {}, 0, 0.05))
    lanes = [
        "yardstick from nothing",
        *(f"{name} {start}" for name in BUILT_IN for start in ("from nothing", "warm")),
    ]
    assert [(row["moment"], row["lane"]) for row in rows] == [(index, lane) for index in (0, 1) for lane in lanes]
    for row in rows:
        assert row["equal"] == (row["equal_ms"] is not None)
        if row["lane"] == lanes[0]:  # charged until it first had its own final cost, not to the end of its iterations
            assert row["equal"] and row["equal_ms"] <= row["search_ms"] and row["above_mm"] == 0.0
    assert any(row["equal"] for row in rows if row["lane"].endswith("warm"))


def test_rivals_run_on_our_problem_with_their_published_settings() -> None:
    pytest.importorskip("stable_worldmodel", reason="the extra swm")
    found = rivals.load_rivals()
    assert tuple(found) == rivals.RIVALS
    first, second, *_ = race(EXACT, [moment([0.8, 0.2, 0.5])], found, 0, 0.05)
    assert [first["lane"], second["lane"]] == [f"{name} from nothing" for name in rivals.RIVALS] and first["equal"]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_worldmodel.solver", None)
    with pytest.raises(AmiError, match=r"requirements/swm\.txt.*rivals=false"):
        rivals.load_rivals()
