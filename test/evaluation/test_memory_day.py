"""A two-hundredth of a day of nothing but new places, within a two-hundredth of what a day may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from ami_ros.evaluation.memory_day import HOURS, MOMENTS, live_a_day, places_of_day
from ami_ros.evaluation.memory_town import build_town
from ami_ros.places.forgetting import ForgettingConfig
from ami_ros.slam.place_memory import MemoryConfig
from ami_ros.world_model.checkpoint import load_model

MODEL = Path(__file__).parents[2] / "models" / "onboard"


def test_a_day_stays_within_its_limit_and_every_place_can_be_recalled(tmp_path: Path) -> None:
    assert places_of_day(HOURS) * MOMENTS == pytest.approx(864_000, abs=MOMENTS)
    loaded, count, seen = load_model(MODEL), places_of_day(HOURS / 200), list[tuple[int, int]]()
    town = build_town(loaded, MODEL / "home.memory", count, 40, seed=5)
    config = MemoryConfig(forgetting=ForgettingConfig(size_limit=2.5, check_every=20))
    figures = live_a_day(town, loaded, tmp_path / "day.memory", config, lambda d, t: seen.append((d, t)))
    assert figures["day_moments"] == count * MOMENTS and seen[-1] == (count, count)
    assert figures["day_places"] >= 0.7 * count  # of the home that stand on one spot, several are one
    assert figures["day_largest_mb"] <= 2.5 and 0.0 < figures["day_pictures_kept_share"] < 1.0
    assert figures["day_recall_share"] >= 0.95
    assert figures["day_recall_share_of_exact_search"] == pytest.approx(figures["day_recall_share"], abs=0.05)
