"""Recorded walkers, and the ground that they walked on."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.simulation.floor_plan import FloorPlan, obstacles_of
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.people.recorded import ground_of, load_recording, most_at_once
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world_file import load_world


def written(file: Path, rate: int = 10, packed: bool = False) -> Path:
    """Three persons who cross a square, the third one late; `rate`: frames between rows."""
    rows = []
    for who, (begin, start, step) in enumerate(
        [(0, (0, 0), (0.5, 0)), (4, (10, 5), (-0.4, 0)), (40, (5, 0), (0, 0.5))]
    ):
        for k in range(20):
            x, y = start[0] + step[0] * k, start[1] + step[1] * k
            rows.append(f"{rate * (begin + k):.7e} {who} {x} 0 {y} {step[0] / 0.4} 0 {step[1] / 0.4}")
    text = "\n".join(rows).encode()
    file.write_bytes(gzip.compress(text) if packed else text)
    return file


@pytest.mark.parametrize("rate, packed", [(10, False), (6, True)])
def test_walkers_go_where_they_were_recorded_at_the_recorded_speed(tmp_path: Path, rate: int, packed: bool) -> None:
    file = written(tmp_path / "crowd.txt", rate, packed)
    recording = load_recording(str(file))
    assert len(recording.tracks) == 3 and most_at_once(recording) == 2
    assert recording.tracks[0].end == pytest.approx(19 * 0.4)
    # 0.5 m in each period of 0.4 s
    assert recording.tracks[0].way(3.0, 1) == pytest.approx([1.25, 0.0], abs=0.02)
    robot = Loopback(f"recorded:{file}", robot="ami_bot", seed=2)
    robot.reset(np.array([5.2, 9.0, 0.0]))
    seen: set[str] = set()
    for _ in range(600):
        robot.step((0.0, 0.0), 0.1)
        things = robot.moving_truth()
        seen |= {str(len(things))}
        for thing in things:
            assert np.hypot(*thing.velocity) < 1.6
    assert seen == {"0", "1", "2"} or seen == {"1", "2"}


def test_frames_that_somebody_filled_in_do_not_slow_walkers_down(tmp_path: Path) -> None:
    file = tmp_path / "every_frame.txt"
    ways = [(who, frame, 0.05 * frame * (-1) ** who, who) for who in range(3) for frame in range(1000, 1100)]
    file.write_text("\n".join(f"{frame} {who} {x} 0 {y} {1.25 * (-1) ** who} 0 0" for who, frame, x, y in ways))
    recording = load_recording(str(file))  # 25 frames a second
    assert recording.seconds == pytest.approx(99 * 0.04, rel=1e-3)


def test_rows_of_frame_id_and_place_alone_are_a_recording_too(tmp_path: Path) -> None:
    wide, narrow = written(tmp_path / "wide.txt"), tmp_path / "narrow.txt"
    rows = [line.split() for line in wide.read_text().splitlines()]
    narrow.write_text("\n".join("\t".join((row[0], row[1], row[2], row[4])) for row in rows))
    one, other = (load_recording(str(file)) for file in (wide, narrow))
    assert (one.points == other.points).all() and one.seconds == other.seconds


def test_an_id_that_comes_back_is_somebody_else(tmp_path: Path) -> None:
    file = tmp_path / "again.txt"
    file.write_text("\n".join(f"{10 * k} 7 {0.5 * k} 0 0" for k in [0, 1, 2, 3, 40, 41, 42]))
    begins = [track.begin for track in load_recording(str(file)).tracks]
    assert begins == pytest.approx([0.0, 16.0])


def test_the_time_in_which_nobody_was_there_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "twice.txt"  # the robot stands between both ways
    rows = [(who, 100_000 * who + 10 * k, 0.5 * k) for who in range(2) for k in range(20)]
    file.write_text("\n".join(f"{frame} {who} {x} 0 {6 * who}" for who, frame, x in rows))
    robot = Loopback(f"recorded:{file}", robot="ami_bot", seed=3)
    robot.reset(np.array([5.0, 1.2, 0.0]))
    there = []
    for _ in range(300):
        robot.step((0.0, 0.0), 0.1)
        there.append(bool(robot.moving_truth()))
    assert np.mean(there) > 0.5


def test_nobody_begins_beside_the_robot(tmp_path: Path) -> None:
    file = written(tmp_path / "crowd.txt")
    robot = Loopback(f"recorded:{file}", robot="ami_bot", seed=2)
    robot.reset(np.array([1.5, 1.0, 0.0]))  # where the first one begins
    known: set[int] = set()
    for _ in range(600):
        robot.step((0.0, 0.0), 0.1)
        there = {thing.id: float(np.hypot(*(thing.position - [1.5, 1.0]))) for thing in robot.moving_truth()}
        assert all(distance > 1.8 for who, distance in there.items() if who not in known)
        known = set(there)


def test_where_nobody_ever_walked_something_stands_and_nowhere_else(tmp_path: Path) -> None:
    file = written(tmp_path / "crowd.txt")
    world, recording = ground_of(str(file)), load_recording(str(file))
    assert world == load_world(f"recorded:{file}")
    assert FloorPlan(obstacles_of(world, {})).clearance(recording.points).min() > 0.5
    assert len(world.furniture) >= 2


def test_a_recorded_walker_is_stopped_by_the_robot_and_goes_on_when_it_has_left(tmp_path: Path) -> None:
    file = written(tmp_path / "crowd.txt")
    robot = Loopback(f"recorded:{file}", robot="ami_bot", seed=0)
    robot._company.crowd.manner._time = 0.0  # type: ignore[union-attr]
    robot._company.crowd.manner._rewind(None)  # type: ignore[union-attr]
    robot.place(np.array([5.0, 1.0, 0.0]))  # on the way of the first one
    for _ in range(50):
        robot.step((0.0, 0.0), 0.1)
    person = next(thing for thing in robot.moving_truth() if abs(thing.position[1] - 1.0) < 0.01)
    assert person.position[0] < 5.0 and robot.touches and not robot.touches[0].robot_moving
    robot.place(np.array([5.0, 9.0, 0.0]))
    speeds = []
    for _ in range(30):
        robot.step((0.0, 0.0), 0.1)
        again = next(thing for thing in robot.moving_truth() if thing.id == person.id)
        speeds.append(float(np.hypot(*again.velocity)))
    assert again.position[0] > person.position[0] + 0.5
    assert np.diff(speeds).max() < 0.3, "nobody is at full speed at once"


def test_who_walks_into_the_robot_does_not_push_it_along(tmp_path: Path) -> None:
    file = written(tmp_path / "crowd.txt")
    robot = Simulator(f"recorded:{file}", "ami_bot", seed=0)
    try:
        robot.reset(np.array([5.5, 1.05, 1.57]))  # on the way of the first one
        for _ in range(1200):
            robot.step((0.0, 0.0), 0.1)
            if robot.touches:
                break
        before = robot.ground_truth().pose
        robot.step((0.0, 0.0), 3.0)
        assert robot.touches and np.hypot(*(robot.ground_truth().pose - before)[:2]) < 0.2
    finally:
        robot.close()


@pytest.mark.parametrize(
    "text", ["", "1 2 3", "a b c d e", "1 1 nan 0 2\n2 1 2 0 2", "1 1 0 0 0", "1 1 0 0 0\n2 1 9e9 0 0"]
)
def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.txt"
    file.write_text(text)
    with pytest.raises(AmiError, match=r"broken\.txt") as refused:
        load_world(f"recorded:{file}")
    assert "\n" not in str(refused.value)
