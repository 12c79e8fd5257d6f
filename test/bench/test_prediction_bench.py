"""Predictions on recorded trajectories: straight walkers are foreseen, those who turn are not, and doubt is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.bench.walkers import prediction_bench_measure as measure
from ami_ros.core.errors import AmiError
from ami_ros.safety.moving_things import PredictionConfig

SPEED, RADIUS = 1.2, 1.5  # [m/s], [m] of the circle of one who turns


def recorded(folder: Path, turns: bool) -> str:
    """Four who walk for 16 s, one after the other."""
    rows = []
    for who in range(4):
        for frame in range(40):
            t = 0.4 * frame
            angle = SPEED * t / RADIUS
            x, y = (RADIUS * np.sin(angle), RADIUS * np.cos(angle)) if turns else (SPEED * t, 0.3 * who)
            rows.append(f"{10 * frame + 20 * who} {who} {x + who:.4f} 0 {y:.4f} 0 0 0")
    path = folder / f"{turns}.txt"
    path.write_text("\n".join(rows))
    return str(path)


def test_who_walks_straight_on_is_foreseen_and_one_who_turns_is_not(tmp_path: Path) -> None:
    straight, turning = (measure(recorded(tmp_path, turns), 2.0, 0, PredictionConfig()) for turns in (False, True))
    assert straight["constant_velocity"]["n"] > 50
    assert straight["constant_velocity"]["fde_m"] < 0.5 < 1.0 < turning["constant_velocity"]["fde_m"]
    assert straight["standing"]["fde_m"] == pytest.approx(2.0 * SPEED, abs=0.5)
    assert straight["constant_velocity"]["ade_m"] < straight["constant_velocity"]["fde_m"]


def test_doubt_that_is_too_small_or_too_large_shows_in_the_shares(tmp_path: Path) -> None:
    path = recorded(tmp_path, True)
    small, large = (measure(path, 2.0, 0, PredictionConfig(wander=w))["constant_velocity"] for w in (0.01, 5.0))
    assert small["within_90"] < 0.9 and large["within_50"] == 1.0
    assert small["fde_m"] == large["fde_m"]


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("1 2 three")
    with pytest.raises(AmiError, match="no table"):
        measure(str(tmp_path / "no"), 2.0, 0, PredictionConfig())
