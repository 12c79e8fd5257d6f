"""Missions and exploring are judged by where the robot truly stood and what it truly saw."""

from __future__ import annotations

from typing import cast

from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.mission_bench import Settings, run_exploration
from ami_ros.parts.config import AgentConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.slam.particle_filter import FilterConfig
from ami_ros.slam.place_memory import MemoryConfig
from ami_ros.world_model.checkpoint import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel


def test_exploring_counts_what_was_seen_and_comes_back_when_its_time_is_over() -> None:
    memory = MemoryConfig(filter=FilterConfig(particles=300))
    settings = Settings(minutes=0.2, seed=4, loop=LoopConfig(agent=AgentConfig(memory=memory)))
    told: list[float] = []
    figures = run_exploration(
        LoadedModel(ExactModel(), "exact", "0" * 64),
        lambda seed: cast(Simulator, Loopback("empty", image_size=IMAGE_SIZE, seed=seed)),
        settings,
        lambda _, done, __: told.append(done),
    )
    seen, places, contacts = figures["explore_seen_share"], figures["explore_places"], figures["explore_contacts"]
    assert seen is not None and 0.0 < seen <= 1.0
    assert places is not None and places > 0
    assert contacts == 0
    assert told and max(told) == 12.0
