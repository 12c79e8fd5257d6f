"""The bench of adaptation, on the kinematic robot and with a model that is right until the wheels change."""

from __future__ import annotations

from typing import cast

import numpy as np

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.bench.adaptation import CHANGES, AdaptationBench, Learner, LearningLoop, Settings
from ami_ros.bench.closed_loop import LoopConfig
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.solvers import SolverConfig
from ami_ros.runtime.graph import AgentConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.adaptation import AdaptationConfig
from ami_ros.world_model.torch_model import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel


def make_bench(minutes: float, seen: list[str]) -> AdaptationBench:
    planner = PlannerConfig(deadline=60.0, solver=SolverConfig(samples=48, iterations=2))
    loop = LoopConfig(
        agent=AgentConfig(
            navigator=NavigatorConfig(use_memory=False, planner=planner),
            memory=MemoryConfig(filter=FilterConfig(particles=100)),
        )
    )
    learning = AdaptationConfig(period=0.2, rate=0.05, batch=16, recent=32)
    robot = cast(Simulator, Loopback("empty", image_size=IMAGE_SIZE, seed=5))
    settings = Settings(goals=1, minutes=minutes, seed=5, adaptation=learning, loop=loop)
    loaded = LoadedModel(ExactModel(), "exact", "0" * 64)
    return AdaptationBench(loaded, robot, None, settings, lambda what, done, total: seen.append(what))


def test_what_slow_wheels_cost_comes_back_and_the_old_wheels_lose_nothing() -> None:
    seen: list[str] = []
    bench = make_bench(0.5, seen)
    tasks = bench.tasks(bench.choose())
    assert len(tasks) == 1 and 0 < tasks[0].limit < np.inf
    rows = bench.drive("before", tasks) + bench.drive("dropped", tasks, CHANGES["slow"])
    rows += bench.learn(tasks, CHANGES["slow"])
    assert [row["phase"] for row in rows] == ["before", "dropped", "adapted", "old_setting"]
    assert set(seen) == {"choosing goals", "adapting", *(row["phase"] for row in rows)}
    # The median: after the wheels are as they were it takes a second or two to go back, and one goal takes ten.
    off = {row["phase"]: row["motion_error_m"] for row in rows}
    assert off["adapted"] < 0.6 * off["dropped"] and off["old_setting"] < off["before"] + 0.1 * off["dropped"]
    assert rows[0]["in_time"] and rows[0]["success"]


def test_goals_picture_is_from_before_the_change() -> None:
    bench = make_bench(0.1, [])
    learner = Learner(bench.loaded, None)
    loop = LearningLoop(bench.loaded, bench.robot, None, bench.settings.loop, 0, learner)
    images = []
    for tint in ((1.0, 1.0, 1.0), (0.2, 0.2, 0.2)):
        bench.robot.tint = tint
        loop.set_goal(np.array([1.0, 1.5, 0.5]), 10.0)
        execution = loop.planner_goals.current
        assert execution is not None
        images.append(execution.photographs[0].image)
    assert np.array_equal(images[0], images[1]) and not np.array_equal(
        images[1], bench.robot.photograph(np.array([1.0, 1.5, 0.5]))
    )
    assert bench.robot.tint == (0.2, 0.2, 0.2)
