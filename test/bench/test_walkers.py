"""People in labelled scans; and predictions on recorded trajectories: straight walkers are foreseen, those who turn are
not, and doubt is judged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ami_ros.bench.walkers import Legs, Predict, people_of, scan_of
from ami_ros.core.errors import AmiError


def test_tracks_and_people_stand_for_each_other_once() -> None:
    people = np.array([[2.0, 0.0], [4.0, 0.2]])
    counts = Legs().score(np.array([[2.1, 0.1], [2.2, 0.0], [3.0, 3.0]]), people)
    assert counts == {"found": 1, "missed": 1, "false": 1, "elsewhere": 1}
    assert Legs().score(np.zeros((0, 2)), people)["missed"] == 2


def test_legs_that_are_near_are_one_person() -> None:
    def pose(x: float, y: float) -> SimpleNamespace:
        return SimpleNamespace(position=SimpleNamespace(x=x, y=y))

    found = people_of(SimpleNamespace(poses=[pose(2.0, 0.1), pose(2.2, -0.1), pose(4.0, 0.0)]))
    assert np.allclose(found, [[2.1, 0.0], [4.0, 0.0]])
    assert people_of(SimpleNamespace(poses=[])).shape == (0, 2)


def test_readings_that_are_none_are_told_from_far_ones() -> None:
    message = SimpleNamespace(
        ranges=[0.0, -np.inf, 1.0, 12.0, np.nan], range_min=0.1, range_max=10.0, angle_min=0.0, angle_increment=0.1
    )
    assert np.array_equal(scan_of(message).ranges, np.array([np.nan, 0.1, 1.0, np.inf, np.nan], np.float32), True)


def test_what_is_no_bag_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="nowhere"):
        Legs(str(tmp_path / "nowhere.bag")).parts()
    (tmp_path / "broken.bag").write_bytes(b"#ROSBAG V2.0\nnonsense")
    with pytest.raises(AmiError):
        list(Legs(str(tmp_path)).run("broken", 0, (), lambda what: None))


def recorded(folder: Path, turns: bool) -> str:
    """Four who walk for 16 s, one after the other."""
    rows, speed, radius = [], 1.2, 1.5  # [m/s], [m] of the circle of one who turns
    for who in range(4):
        for frame in range(40):
            t = 0.4 * frame
            angle = speed * t / radius
            x, y = (radius * np.sin(angle), radius * np.cos(angle)) if turns else (speed * t, 0.3 * who)
            rows.append(f"{10 * frame + 20 * who} {who} {x + who:.4f} 0 {y:.4f} 0 0 0")
    path = folder / f"{turns}.txt"
    path.write_text("\n".join(rows))
    return str(path)


def test_who_walks_straight_on_is_foreseen_and_one_who_turns_is_not(tmp_path: Path) -> None:
    straight, turning = (Predict(horizon=2.0).measure(recorded(tmp_path, turns), 0) for turns in (False, True))
    assert straight["constant_velocity"]["n"] > 50
    assert straight["constant_velocity"]["fde_m"] < 0.5 < 1.0 < turning["constant_velocity"]["fde_m"]
    assert straight["standing"]["fde_m"] == pytest.approx(2.4, abs=0.5)
    assert straight["constant_velocity"]["ade_m"] < straight["constant_velocity"]["fde_m"]


def test_doubt_that_is_too_small_or_too_large_shows_in_the_shares(tmp_path: Path) -> None:
    path = recorded(tmp_path, True)
    small, large = (Predict(horizon=2.0, wander=w).measure(path, 0)["constant_velocity"] for w in (0.01, 5.0))
    assert small["within_90"] < 0.9 and large["within_50"] == 1.0
    assert small["fde_m"] == large["fde_m"]


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("1 2 three")
    with pytest.raises(AmiError, match="no table"):
        Predict().measure(str(tmp_path / "no"), 0)
