"""Drivers that send old scans with new stamps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, wrap
from ami_ros.core.scan import Scan
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.liveness import Changes, Liveness, LivenessConfig, Reference, expected
from ami_ros.safety.zones import Zone
from ami_ros.simulation.floor_plan import Obstacle
from harness.laser_drives import ROOM, Course, box, drive, post

CORRIDOR = [box(0.0, 0.7, 6.0, 0.05), box(0.0, -0.7, 6.0, 0.05), box(2.5, 0.0, 0.05, 0.7)]
HANGS = 2.0  # [s]
Repeats = Callable[[list[Scan], float], Scan]


def ring(size: int, change: Callable[[Array, int], Array] = lambda ranges, k: ranges) -> Repeats:
    """From HANGS on, the last `size` scans in turn, each a little changed."""
    begun: list[int] = []

    def sent(scans: list[Scan], now: float) -> Scan:
        if now < HANGS:
            return scans[-1]
        begun.append(len(scans))
        k = begun[0] - 1 - size + (len(begun) - 1) % size
        return replace(scans[k], ranges=change(scans[k].ranges.astype(np.float64), len(begun)).astype(np.float32))

    return sent


def trembling(count: int) -> Callable[[Array, int], Array]:
    def change(ranges: Array, k: int) -> Array:
        ranges[:: len(ranges) // count] += 0.001 * (k % 7)
        return ranges

    return change


def noisy(sigma: float) -> Callable[[Array, int], Array]:
    return lambda ranges, k: ranges + np.random.default_rng(k).normal(0.0, sigma, len(ranges))


CHANGES: dict[str, Callable[[Array, int], Array]] = {
    "to the last bit": lambda ranges, k: ranges,
    "one beam trembles": trembling(1),
    "forty beams tremble": trembling(40),
    "noise of 2 mm": noisy(0.002),
    "noise of 1 cm": noisy(0.01),
}


@pytest.mark.fault("laser repeats itself with new stamps")
@pytest.mark.parametrize(
    ("place", "size", "change"),
    [
        *(("room", size, change) for size in (1, 2, 5) for change in CHANGES),
        *(("corridor", 3, change) for change in ("to the last bit", "one beam trembles", "noise of 1 cm")),
    ],
)
def test_a_driver_that_repeats_scans_in_turn_does_not_let_it_touch_anything(place: str, size: int, change: str) -> None:
    """Two scans in turn were believed, and one whose beam trembled: it touched the wall at 0.5 m/s."""
    things = {"room": ROOM, "corridor": CORRIDOR}[place]
    begins = np.array([0.6, 0.0, 0.0])
    driven = drive(Course(lambda now: things, repeats=ring(size, CHANGES[change]), start=begins))
    assert driven.touched == 0.0 and driven.reasons[-1] == "no scan"


@pytest.mark.fault("laser repeats itself with new stamps")
@pytest.mark.parametrize("speed", [0.05, 0.15, 0.3])
def test_nor_at_a_creep(speed: float) -> None:
    def creeps(now: float, pose: Array) -> Command:
        return speed, 0.2 * math.sin(now), 0.0

    for change in ("one beam trembles", "noise of 1 cm"):
        course = Course(lambda now: ROOM, repeats=ring(3, CHANGES[change]), command=creeps, duration=15.0)
        assert drive(replace(course, start=np.array([1.3, 0.0, 0.0]))).touched == 0.0


@pytest.mark.fault("laser repeats itself with new stamps")
@pytest.mark.parametrize("change", CHANGES)
def test_nor_while_it_turns(change: str) -> None:
    things = [*ROOM, post(1.0, 0.3, 0.1)]

    def swings(now: float, pose: Array) -> Command:
        return 0.4, 1.2 * math.sin(1.5 * now), 0.0

    assert drive(Course(lambda now: things, repeats=ring(3, CHANGES[change]), command=swings)).touched == 0.0


def swaying(turn: float, now: float, pose: Array) -> Command:
    """Ahead, turning to and fro."""
    return 0.3, turn * math.sin(now), 0.0


def test_a_live_laser_is_believed_wherever_it_drives_and_whoever_walks_by() -> None:
    def things(now: float) -> list[Obstacle]:
        return [*CORRIDOR, post(2.0 - 0.5 * now, 0.35, 0.08), post(-3.0 + 0.7 * now, -0.4, 0.08)]

    places: list[Callable[[float], list[Obstacle]]] = [lambda now: ROOM, lambda now: CORRIDOR, things]
    for place in places:
        for noise in (0.0, 0.02):
            for turn in (0.0, 1.5):
                driven = drive(
                    Course(place, command=partial(swaying, turn), noise=noise, start=np.array([-1.5, 0.0, 0.0]))
                )
                assert "no scan" not in driven.reasons, noise
                assert len(driven.poses) == 800


def test_after_the_driver_has_come_back_its_scans_are_believed_again() -> None:
    stuck = ring(2)
    driven = drive(Course(lambda now: ROOM, repeats=lambda s, now: stuck(s, now) if now < 6.0 else s[-1], duration=9.0))
    assert "no scan" in driven.reasons and driven.reasons[-1] == "obstacle ahead" and driven.touched == 0.0


def scan_of(plan_x: float, noise: float = 0.0, seed: int = 0) -> Scan:
    """A wall across the way, `plan_x` [m] ahead."""
    angles = np.radians(np.arange(-60.0, 60.0))
    ranges = plan_x / np.cos(angles) + np.random.default_rng(seed).normal(0.0, noise, 120)
    return Scan(ranges.astype(np.float32), float(angles[0]), math.radians(1.0), max_range=8.0)


def at(x: float, yaw: float = 0.0) -> Array:
    return np.array([x, 0.0, yaw])


def test_odometry_that_drifts_while_the_robot_stands_proves_nothing() -> None:
    laser = Liveness()
    for k in range(1200):
        pose = at(0.001 * k, 0.002 * k)  # 0.01 m/s, 0.02 rad/s
        assert laser.doubt(scan_of(1.5, 0.003, k), pose, (0.0, 0.0, 0.0), 0.1 * k) == ""


def test_a_robot_that_was_carried_elsewhere_believes_what_it_sees_there() -> None:
    laser = Liveness()
    for k in range(20):
        assert laser.doubt(scan_of(2.0 - 0.02 * k, 0.003, k), at(0.02 * k), (0.2, 0.0, 0.0), 0.1 * k) == ""
    for k in range(20, 60):
        assert laser.doubt(scan_of(5.0 - 0.02 * k, 0.003, k), at(0.02 * k), (0.2, 0.0, 0.0), 0.1 * k) == ""


def test_guessed_scans_that_change_less_than_the_way_says_are_believed_but_none_that_repeats() -> None:
    """Of a picture, half of the distances err by 9 % or more, and alike from one picture to the next."""
    guessed, measuring = Liveness(measured=False), Liveness()
    steps = [(scan_of(1.5, 0.002, k), at(0.03 * k), (0.3, 0.0, 0.0), 0.1 * k) for k in range(8)]
    assert [guessed.doubt(*step) for step in steps] == [""] * len(steps)
    assert any(measuring.doubt(*step) for step in steps)
    old, later = steps[-1][0], 0.1 * np.arange(8, 20)
    assert all("to the last bit" in guessed.doubt(old, at(0.3 * t), (0.3, 0.0, 0.0), t) for t in later)
    turned = at(0.6, 0.3)
    assert guessed.doubt(scan_of(1.0, 0.002, 9), turned, (0.3, 0.0, 0.0), 2.1) == "", "the camera's driver is back"


def test_a_scan_of_other_beams_and_one_that_sees_nothing_are_not_compared() -> None:
    laser, empty = Liveness(), Scan(np.full(120, np.inf, np.float32), -1.0, 0.02, max_range=8.0)
    for k in range(10):
        assert laser.doubt(empty, at(0.1 * k), (0.5, 0.0, 0.0), 0.2 * k) == ""
    assert laser.doubt(scan_of(1.0), at(1.0), (0.5, 0.0, 0.0), 2.2) == ""
    fewer = replace(scan_of(1.0), ranges=scan_of(1.0).ranges[:60])
    assert laser.doubt(fewer, at(1.5), (0.5, 0.0, 0.0), 3.2) == ""
    assert "to the last bit" in laser.doubt(scan_of(1.0), at(1.5), (0.5, 0.0, 0.0), 3.3)
    assert "looks like" in laser.doubt(scan_of(1.0, 0.002, 1), at(1.5), (0.5, 0.0, 0.0), 3.3)


@pytest.mark.parametrize("move", [(0.2, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.2), (0.1, -0.1, -0.3)])
def test_what_a_scan_should_become_is_what_it_becomes(move: tuple[float, float, float]) -> None:
    angles = np.radians(np.arange(-60.0, 60.0))
    before = Reference(np.zeros(3), np.zeros(3), angles, 1.5 / np.cos(angles))
    (ranges,) = expected([before], np.array([move]), LivenessConfig())
    known = np.isfinite(ranges)
    truth = (1.5 - move[0]) / np.cos(angles + move[2])
    assert known.sum() > 60 and np.abs(ranges - truth)[known].max() < 0.01


def test_several_scans_together_are_compared_as_each_alone() -> None:
    """Scans that saw less than others fill up their rows with NaN: that must change nothing."""
    rng, angles = np.random.default_rng(5), np.radians(np.arange(-60.0, 60.0))

    def seen(x: float, lost: float) -> Reference:
        ranges = np.where(rng.random(120) < lost, np.nan, (1.5 - x) / np.cos(angles) + rng.normal(0.0, 0.01, 120))
        return Reference(np.array([x, 0.0, x]), np.zeros(3), angles, ranges)

    earlier = [seen(0.03 * k, lost) for k, lost in enumerate((0.0, 0.3, 0.9, 1.0, 0.99))]
    now = seen(0.5, 0.1)
    together = Changes.since(earlier, now, LivenessConfig())
    for k, before in enumerate(earlier):
        alone = Changes.since([before], now, LivenessConfig())
        for part in ("wanted", "seen", "weight", "is_exact"):
            np.testing.assert_array_equal(getattr(together, part)[k], getattr(alone, part)[0])
        np.testing.assert_array_equal(together.shares()[k], alone.shares()[0])
    assert np.isfinite(together.shares()).tolist() == [True, True, False, False, False]


@pytest.mark.fault("laser repeats itself with new stamps")
def test_a_doubted_laser_is_not_believed_again_because_the_robot_swings_back() -> None:
    """The heading at which the doubt began proved nothing, but ended it."""
    liveness, still = Liveness(), (0.0, 0.0, 0.0)

    def seen(x: float) -> Scan:
        angles = np.linspace(-np.pi, np.pi, 180, endpoint=False)
        with np.errstate(divide="ignore"):
            walls = np.minimum(
                np.where(np.cos(angles) > 0, 3.0 - x, 3.0 + x) / abs(np.cos(angles)), 2.0 / abs(np.sin(angles))
            )
        return Scan(walls.astype(np.float32), -np.pi, 2 * np.pi / 180, max_range=8.0)

    for k in range(20):  # it drives and sees that, then its driver hangs on the last scan
        assert not liveness.doubt(seen(0.03 * k), np.array([0.03 * k, 0.0, 0.0]), still, 0.1 * k)
    hung = seen(0.57)
    for k in range(20, 30):
        problem = liveness.doubt(hung, np.array([0.03 * k, 0.0, 0.0]), still, 0.1 * k)
    assert problem
    last = np.array([0.87, 0.0, 0.0])
    for k, yaw in enumerate([0.1, 0.2, 0.1, 0.0, 0.0]):
        assert liveness.doubt(hung, last + [0.0, 0.0, yaw], still, 3.0 + 0.1 * k)
    # Of another place, by chance: nothing kept says that it is old, and nothing shows that it is of now.
    assert liveness.doubt(seen(-1.5), last, still, 3.6) and liveness.doubt(seen(-1.5), last, still, 3.7)


def hangs_in_part(middle: float, width: float, since: float) -> Repeats:
    """From a time on, the part of the view of that middle and width [rad] stays as it is."""
    hung: list[NDArray[np.float32]] = []

    def sent(scans: list[Scan], now: float) -> Scan:
        scan = scans[-1]
        if now < since:
            return scan
        hung[:] = hung or [scan.ranges]
        inside = np.abs(wrap(scan.angles - middle)) <= width / 2
        return replace(scan, ranges=np.where(inside, hung[0], scan.ranges))

    return sent


@pytest.mark.fault("one of several merged lasers hangs")
@pytest.mark.parametrize("since", [0.5, 2.5])
@pytest.mark.parametrize("width", [60.0, 90.0, 180.0])
def test_one_of_several_merged_lasers_that_hangs_does_not_let_it_touch_the_wall(width: float, since: float) -> None:
    """The other lasers outvoted the one ahead: it touched the wall at 0.5 m/s."""
    repeats = hangs_in_part(0.0, math.radians(width), since)
    assert drive(Course(lambda now: ROOM, repeats=repeats)).touched == 0.0


@pytest.mark.fault("one of several merged lasers hangs")
def test_nor_the_wall_behind_or_what_it_swings_to() -> None:
    def wanders(now: float, pose: Array) -> Command:
        return -0.3 if now % 4 > 2 else 0.5, 1.2 * math.sin(now), 0.0

    things = [*ROOM, post(1.0, 0.6, 0.15), post(-0.9, -0.5, 0.15)]
    for middle in (0.8, math.pi, -1.5):
        repeats = hangs_in_part(middle, math.radians(120.0), 1.0)
        assert drive(Course(lambda now: things, repeats=repeats, command=wanders, duration=10.0)).touched == 0.0


@pytest.mark.fault("one of several merged lasers hangs")
def test_zones_count_what_a_hanging_laser_says() -> None:
    """Its readings were taken away before zones had counted them."""
    gate = SafetyGate(SafetyConfig(), {"stop": Zone("circle", "stop", radius=0.5, min_points=4)})
    angles = np.linspace(-math.pi, math.pi, 360, endpoint=False)
    for k in range(12):
        x = 0.02 * k
        walls = 3.0 - x * np.cos(angles)  # of a round hall, nearly
        walls[np.abs(angles) < 0.8] = 0.45  # hangs
        gate.odometry(np.array([x, 0.0, 0.0]), (0.2, 0.0, 0.0), 0.1 * k)
        scan = Scan(walls.astype(np.float32), -math.pi, 2 * math.pi / 360, max_range=8.0)
        gate.scan(scan, 0.1 * k, 0.1 * k)
        gate.command(0.2, 0.0, 0.1 * k)
        output = gate.output(0.1 * k)
    assert gate._liveness.old.any(), "it is noticed that it hangs"
    assert output.command == (0.0, 0.0, 0.0) and "stop" in output.reason


def test_once_the_laser_that_hung_is_back_it_drives_on() -> None:
    hung = hangs_in_part(0.0, math.radians(90.0), 1.5)
    repeats: Repeats = lambda scans, now: hung(scans, now) if now < 3.0 else scans[-1]  # noqa: E731
    spins = Course(lambda now: ROOM, repeats=repeats, command=lambda now, pose: (0.5, 0.3 if now < 5 else 0.0, 0.0))
    driven = drive(replace(spins, duration=12.0))
    assert driven.touched == 0.0 and "unseen ahead" not in driven.reasons[-20:]
