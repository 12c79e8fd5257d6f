"""The bench of adaptation, on the kinematic robot and with a model that is right until the wheels change."""

from __future__ import annotations

from typing import cast

import numpy as np

from ami_ros.bench.adaptation import CHANGES, AdaptationBench, Learner, LearningLoop
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.adaptation import AdaptationConfig
from harness.exact_model import IMAGE_SIZE
from harness.loops import EXACT, unhurried


def make_bench(seen: list[str]) -> AdaptationBench:
    learning = AdaptationConfig(period=0.2, rate=0.05, batch=16, recent=32)
    robot = cast(Simulator, Loopback("empty", image_size=IMAGE_SIZE, seed=5))
    return AdaptationBench(EXACT, robot, None, 5, seen.append, learning, unhurried(use_memory=False, quick=True))


def test_what_slow_wheels_cost_comes_back_and_the_old_wheels_lose_nothing() -> None:
    seen: list[str] = []
    bench = make_bench(seen)
    tasks = bench.tasks(bench.choose(1))
    assert len(tasks) == 1 and 0 < tasks[0].limit < np.inf
    rows = bench.drive("before", tasks) + bench.drive("dropped", tasks, CHANGES["slow"])
    rows += bench.learn(tasks, CHANGES["slow"], 0.5)
    assert [row["phase"] for row in rows] == ["before", "dropped", "adapted", "old_setting"]
    assert {line.partition(":")[0] for line in seen} == {
        "choosing goals", "adapting", *(row["phase"] for row in rows)
    }  # fmt: skip
    # The median: after the wheels are as they were it takes a second or two to go back, and one goal takes ten.
    off = {row["phase"]: row["motion_error_m"] for row in rows}
    assert off["adapted"] < 0.6 * off["dropped"] and off["old_setting"] < off["before"] + 0.1 * off["dropped"]
    assert rows[0]["in_time"] and rows[0]["success"]


def test_goals_picture_is_from_before_the_change() -> None:
    bench, images, goal = make_bench([]), [], np.array([1.0, 1.5, 0.5])
    loop = LearningLoop(bench.loaded, bench.robot, None, bench.config, 0, Learner(bench.loaded, None))
    for tint in ((1.0, 1.0, 1.0), (0.2, 0.2, 0.2)):
        bench.robot.tint = tint
        loop.set_goal(goal, 10.0)
        execution = loop.planner_goals.current
        assert execution is not None
        images.append(execution.photographs[0].image)
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[1], bench.robot.photograph(goal)) and bench.robot.tint == (0.2, 0.2, 0.2)
