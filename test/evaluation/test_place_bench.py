"""The bench of places on a robot without physics, whose model is right."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.expedition import Belief, Expedition
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.place_bench import SETTLED, Judged, PlaceBench, Settings
from ami_ros.parts.config import AgentConfig
from ami_ros.places.types import Location
from ami_ros.simulation.exploration import PERIOD
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.slam.particle_filter import FilterConfig
from ami_ros.slam.place_memory import MemoryConfig
from ami_ros.world_model.checkpoint import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel

EXACT = LoadedModel(ExactModel(), "exact", "0" * 64)
LIGHT = LoopConfig(agent=AgentConfig(memory=MemoryConfig(filter=FilterConfig(particles=300))))


def make_robot(seed: int) -> Simulator:
    return cast(Simulator, Loopback("two_rooms", image_size=IMAGE_SIZE, seed=seed))


def test_a_right_model_comes_to_know_two_rooms(tmp_path: Path) -> None:
    seen: list[str] = []
    settings = Settings(minutes=2.5, starts=3, goals=10, kidnappings=1, hours=0.005, seed=3, loop=LIGHT)
    file = tmp_path / "places.memory"
    bench = PlaceBench(EXACT, make_robot, settings, file, lambda what, done, total: seen.append(what))
    found = bench.run()
    figures = {name: value for name, value in found.items() if value is not None}
    assert set(seen) == {"exploring", "cold starts", "goal pictures", "kidnappings", "driving on"}
    json.dumps(found, allow_nan=False)
    for before in ("", "later_"):
        assert figures[f"{before}false_edges"] == 0
        assert figures[f"{before}map_error_p99_m"] < 0.4
        assert figures[f"{before}cold_right_after_3_s_share"] > 0.6
    assert figures["coverage_share"] > 0.9
    assert figures["later_places"] >= figures["places"] > 40
    assert figures["goal_right_share"] >= 0.9
    assert figures["kidnappings"] == 1 and figures["cold_starts"] == 3


def test_one_seed_gives_one_run(tmp_path: Path) -> None:
    settings = Settings(minutes=0.3, starts=1, goals=2, kidnappings=1, seed=1, loop=LIGHT)
    first, second = (
        PlaceBench(EXACT, make_robot, settings, tmp_path / name, lambda *_: None).run() for name in ("a", "b")
    )
    assert first == second


def test_an_expedition_knows_the_truth_of_each_place_and_kidnaps_without_a_word() -> None:
    robot = make_robot(0)
    expedition = Expedition(ClosedLoop(EXACT, robot, None, LIGHT, 0), np.random.default_rng(0))
    memory = expedition.memory
    expedition.begin(np.array([0.6, 0.6, 0.0]))
    for _ in range(40):
        expedition.step()
    assert set(expedition.truths) == set(memory.map.details)
    for place, truth in expedition.truths.items():
        np.testing.assert_allclose(memory.map.details[place].latent[:2], truth[:2], atol=0.05)
    odometry = robot.odometry()[0]
    expedition.kidnap(np.array([3.5, 2.5, 1.0]))
    moment = expedition.step()
    np.testing.assert_allclose(moment.truth, [3.5, 2.5, 1.0])
    np.testing.assert_allclose(moment.location.odometry, odometry, atol=1e-9)
    memory.close()


@pytest.mark.parametrize(("pattern", "found"), [("wwrrrrrrrrrrrr", 2), ("rrrwrrrrrrrrrrr", 4), ("wwwwww", math.inf)])
def test_found_is_when_the_robot_is_right_and_stays_so(pattern: str, found: float) -> None:
    assert round(SETTLED / PERIOD) == 10
    moments = [
        Belief(k * PERIOD, np.zeros(3), Location(0.0, np.zeros(3), np.zeros(3), 0.9, 0.0, True, 1))
        for k in range(len(pattern))
    ]
    judged = Judged(moments, [letter == "r" for letter in pattern])
    assert judged.found_after() == pytest.approx(found * PERIOD)
    assert judged.fooled() == pytest.approx(pattern.count("w") * PERIOD)
