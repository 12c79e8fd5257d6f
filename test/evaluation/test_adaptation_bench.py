"""The bench of adaptation, on the kinematic robot and with a model that is right until the wheels change."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from ami_ros.adaptation.adapter import AdaptationConfig
from ami_ros.evaluation.adaptation_bench import CHANGES, Settings, came_back, run
from ami_ros.evaluation.closed_loop import LoopConfig
from ami_ros.memory.localisation import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.solvers.registry import SolverConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel


def test_what_slow_wheels_cost_comes_back_and_the_old_wheels_lose_nothing() -> None:
    loop = LoopConfig(
        navigator=NavigatorConfig(
            use_memory=False, planner=PlannerConfig(deadline=60.0, solver=SolverConfig(samples=48, iterations=2))
        ),
        memory=MemoryConfig(filter=FilterConfig(particles=100)),
    )
    learning = AdaptationConfig(period=0.2, rate=0.05, batch=16, recent=32)
    settings = Settings(CHANGES["slow"], goals=1, minutes=0.5, seed=5, adaptation=learning, loop=loop)
    seen = []
    phases = run(
        LoadedModel(ExactModel(), "exact", "0" * 64),
        lambda seed: cast(Simulator, Loopback("empty", image_size=IMAGE_SIZE, seed=seed)),
        None,
        settings,
        lambda what, done, total: seen.append(what),
    )
    assert list(phases) == ["before", "dropped", "adapted", "old_setting"] and set(seen) == {*phases, "adapting"}
    # The median: after the wheels are as they were it takes a second or two to go back, and one goal takes ten.
    off = {name: float(np.median(phase.position_m)) for name, phase in phases.items()}
    assert off["adapted"] < 0.6 * off["dropped"] and off["old_setting"] < 1.5 * off["before"]
    figures = phases["before"].figures("before")
    assert figures["before_n"] == 1 and figures["before_rate"] == 1.0


def test_the_share_that_came_back() -> None:
    assert came_back(1.0, 0.5, 0.9) == pytest.approx(0.8)
    assert came_back(10.0, 20.0, 12.0) == pytest.approx(0.8)  # less is better
    assert came_back(0.9, 0.9, 0.9) is None
