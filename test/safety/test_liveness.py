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
from ami_ros.safety.liveness import Changes, Liveness, LivenessConfig, Reference
from ami_ros.safety.zones import Zone
from ami_ros.simulation.floor_plan import Obstacle
from harness.laser_drives import ROOM, Course, box, drive, post
from harness.square_room import RANGE, room_scan

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


CONFIG = LivenessConfig()

STANDS: Command = (0.0, 0.0, 0.0)
BELIEVED = 8.0  # [s] when a scan was last believed
PLACE = 0.5  # [m] at which it turns
TURN = "a turn on the spot shows"


class Hung:
    """A laser that hangs on a robot that drives on, to a heading. It is seen so long after it was last believed [s]."""

    def __init__(self, since: float = 1.0, yaw: float = 0.0, measured: bool = True) -> None:
        self.laser, self.now = Liveness(measured), BELIEVED
        assert self.sees(room_scan(), 0.0, 0.0, since) == ""
        assert "to the last bit" in self.sees(room_scan(), yaw)

    def sees(self, scan: Scan, yaw: float, x: float = PLACE, then: float = 0.1) -> str:
        """What it says of a scan of now; the next one comes `then` [s] later."""
        problem = self.laser.doubt(scan, np.array([x, 0.0, yaw]), STANDS, self.now)
        self.now += then
        return problem

    def looks(self, yaw: float) -> str:
        """What it says of what is really there, at a heading."""
        return self.sees(room_scan(PLACE, 0.0, yaw), yaw)

    def turns(self, step: float, count: int, begins: float = 0.0) -> list[bool]:
        """Which of the next scans are believed, each `step` [rad] farther round."""
        return [self.looks(begins + step * k) == "" for k in range(1, count + 1)]


@pytest.mark.parametrize(("since", "lasts"), [(0.05, False), (0.25, False), (0.39, False), (0.41, True), (1.0, True)])
def test_doubt_lasts_once_no_scan_was_believed_for_0_4_s(since: float, lasts: bool) -> None:
    assert CONFIG.lasts == 0.4
    assert (TURN in Hung(since).looks(0.1)) == lasts


def test_after_just_0_4_s_it_does_not_last() -> None:
    laser = Liveness()
    assert laser.doubt(room_scan(), np.zeros(3), STANDS, 0.0) == ""
    assert laser.doubt(room_scan(), np.array([PLACE, 0.0, 0.0]), STANDS, 0.4)
    assert laser.doubt(room_scan(PLACE, 0.0, 0.1), np.array([PLACE, 0.0, 0.1]), STANDS, 0.5) == ""


def test_a_laser_of_which_no_scan_was_believed_has_to_prove_itself_at_once() -> None:
    laser = Liveness()
    laser.came_late(room_scan(), np.zeros(3))
    assert laser.doubt(room_scan(), np.array([PLACE, 0.0, 0.0]), STANDS, 0.1)
    assert TURN in laser.doubt(room_scan(PLACE, 0.0, 0.1), np.array([PLACE, 0.0, 0.1]), STANDS, 0.2)


def test_guessed_scans_need_prove_nothing() -> None:
    assert Hung(measured=False).looks(0.1) == ""


@pytest.mark.parametrize(
    ("yaw", "heading", "turned"),
    [
        (0.0, 0.0049, False),
        (0.0, -0.0049, False),
        (0.0, 0.0051, True),
        (0.0, -0.0051, True),
        (1.0, 1.0, False),
        (1.0, 1.0051, True),
        (3.14, 3.1449 - 2 * math.pi, False),
        (3.14, 3.1451 - 2 * math.pi, True),
    ],
)
def test_the_next_good_scan_ends_doubt_unless_the_robot_has_turned(yaw: float, heading: float, turned: bool) -> None:
    assert CONFIG.turned == 0.005
    hung = Hung(yaw=yaw)
    assert (TURN in hung.looks(heading)) == turned
    assert (TURN in hung.looks(heading + 0.3)) == turned, "doubt that ended begins no more"


def test_six_scans_running_that_change_as_a_turn_says_prove_it() -> None:
    assert CONFIG.proving == 6
    assert Hung().turns(0.1, 10) == [False] * 6 + [True] * 4


def test_they_are_spread_over_a_turn_of_three_tenths() -> None:
    """The first scan of the turn is at 0.04, the second too near to tell, and the ninth at 0.32 from it."""
    assert CONFIG.proof == 0.15
    assert Hung().turns(0.04, 12) == [False] * 8 + [True] * 4


def test_scans_that_change_as_a_straight_way_says_prove_it_as_well() -> None:
    hung = Hung()
    believed = [hung.sees(room_scan(PLACE + x, 0.0, 0.1), 0.1, PLACE + x) == "" for x in 0.03 * np.arange(9)]
    assert believed == [False] * 6 + [True] * 3


@pytest.mark.parametrize("begun", range(1, 7))
def test_a_scan_that_changes_otherwise_begins_the_proof_anew(begun: int) -> None:
    hung = Hung()
    assert hung.turns(0.1, begun) == [False] * begun
    assert hung.sees(room_scan(half=9.0), 0.1 * begun + 0.1)
    assert hung.turns(0.1, 9, 0.1 * begun + 0.1) == [False] * 6 + [True] * 3


@pytest.mark.parametrize(("share", "proves"), [(0.5, False), (0.7, True), (1.0, True), (1.3, True), (1.5, False)])
def test_from_three_fifths_to_seven_fifths_of_the_change_are_enough(share: float, proves: bool) -> None:
    hung = Hung()
    believed = [hung.sees(room_scan(PLACE, 0.0, 0.06 * share * k), 0.06 * k) == "" for k in range(1, 14)]
    assert any(believed) == proves


def test_one_that_has_proved_itself_is_compared_with_nothing_from_before() -> None:
    """The wheels have slipped, so the places of earlier scans are not known."""
    for again in (room_scan(), room_scan(half=3.001)):
        hung = Hung()
        assert hung.turns(0.1, 8)[-1]
        assert hung.sees(again, 0.8) == "", "as it was half a metre before"


def test_one_that_has_proved_itself_may_hang_again() -> None:
    hung = Hung()
    assert hung.turns(0.1, 8)[-1]
    stuck = room_scan(PLACE, 0.0, 0.8)
    for k in range(1, 6):
        assert hung.sees(stuck, 0.8, PLACE + 0.1 * k)
    assert hung.turns(0.1, 10, 0.8) == [False] * 6 + [True] * 4


EXACT, ALIKE = "to the last bit", "looks like"


def few(first: float) -> Scan:
    """Of three beams: too few to be compared, so that only its bits count."""
    return Scan(np.array([first, 2.0, 3.0], np.float32), 0.0, 0.1, max_range=RANGE)


def nearly(scan: Scan) -> Scan:
    """The same view, with other bits."""
    return replace(scan, ranges=scan.ranges + np.float32(0.001))


def told(laser: Liveness, scan: Scan, x: float, unsure: float = 0.0) -> str:
    """What it says of a scan of a robot that drives along x; stamps go on as it drives, by 1 s a metre."""
    return laser.doubt(scan, np.array([x, 0.0, 0.0]), STANDS, 10.0 + x, unsure)


@pytest.mark.parametrize(("later", "problem"), [(CONFIG.kept_exact - 1, EXACT), (CONFIG.kept_exact, "")])
def test_the_last_256_scans_are_known_to_the_last_bit(later: int, problem: str) -> None:
    assert CONFIG.kept_exact == 256
    laser = Liveness()
    for k in range(1 + later):
        assert told(laser, few(5.0 + k / 64), 0.01 * k) == ""
    found = told(laser, few(5.0), 100.0)
    assert problem in found and bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("first", "second", "moved", "problem"),
    [
        (0.0, 0.0, 0.02, ""),
        (0.0, 0.0, 0.0201, EXACT),
        (0.0, 0.0, -0.0201, EXACT),
        (0.1, 0.05, 0.1699, ""),
        (0.1, 0.05, 0.1701, EXACT),
        (0.05, 0.1, 0.1699, ""),
        (0.05, 0.1, 0.1701, EXACT),
    ],
)
def test_bits_repeat_within_2_cm_and_the_doubt_of_both_poses(
    first: float, second: float, moved: float, problem: str
) -> None:
    assert CONFIG.moved == 0.02
    laser = Liveness()
    assert told(laser, few(5.0), 0.0, first) == ""
    found = laser.doubt(few(5.0), np.array([moved, 0.0, 0.0]), STANDS, 11.0, second)
    assert problem in found and bool(found) == bool(problem)


def test_bits_repeat_within_a_hundredth_of_a_turn_as_well() -> None:
    for pose, problem in (
        ((0, 0, 0.019), False),
        ((0, 0, 0.021), True),
        ((0, 0.019, 0), False),
        ((0, -0.021, 0), True),
    ):
        laser = Liveness()
        assert told(laser, few(5.0), 0.0) == ""
        assert bool(laser.doubt(few(5.0), np.array(pose, float), STANDS, 11.0)) == problem, pose


@pytest.mark.parametrize(("moved", "problem"), [(0.0, ""), (0.019, ""), (0.021, EXACT), (-0.021, EXACT)])
def test_a_scan_that_came_late_was_measured_where_it_was_and_surely_so(moved: float, problem: str) -> None:
    laser = Liveness()
    assert told(laser, few(5.0), 2.0, unsure=0.5) == ""
    laser.came_late(few(5.0), np.array([1.0, 0.0, 0.0]))
    found = told(laser, few(5.0), 1.0 + moved)
    assert problem in found and bool(found) == bool(problem)


@pytest.mark.parametrize("back", range(1, CONFIG.kept + 4))
def test_a_scan_is_recognised_that_looks_like_one_of_the_last_16(back: int) -> None:
    """Each is of another room, so that none looks like its neighbours."""
    assert CONFIG.kept == 16
    laser, count = Liveness(), CONFIG.kept + 5
    for k in range(count):
        assert told(laser, room_scan(half=1.0 + k), 0.03 * k) == ""
    found = told(laser, nearly(room_scan(half=1.0 + count - back)), 0.03 * count)
    assert (ALIKE in found) == (back <= CONFIG.kept) and bool(found) == (back <= CONFIG.kept)


@pytest.mark.parametrize(
    ("ways", "kept"),
    [
        ((0.0, 0.02), (True, False)),
        ((0.0, CONFIG.apart), (True, True)),
        ((0.0, -CONFIG.apart), (True, True)),
        ((0.0, 0.04), (True, True)),
        ((0.0, 0.03, 0.05), (True, True, False)),
        ((0.0, 0.03, 0.06), (True, True, True)),
        ((0.0, 0.02, 0.03), (True, False, True)),
    ],
)
def test_scans_are_kept_that_are_2_5_cm_from_the_last_one_kept(ways: tuple[float, ...], kept: tuple[bool, ...]) -> None:
    assert CONFIG.apart == 0.025
    for number, is_kept in enumerate(kept):
        laser = Liveness()
        for k, x in enumerate(ways):
            assert told(laser, room_scan(half=2.0 + k), x) == ""
        assert (ALIKE in told(laser, nearly(room_scan(half=2.0 + number)), 0.2)) == is_kept, number


LONG = 64.0  # [s] in which a robot that stands drifts by 1.28 m, or 1.92 rad, to the last bit


@pytest.mark.parametrize(
    ("axis", "step", "moves"),
    [
        *((axis, sign * 1.28, False) for axis in (0, 1) for sign in (1, -1)),
        *((axis, sign * math.nextafter(1.28, 2.0), True) for axis in (0, 1) for sign in (1, -1)),
        *((2, sign * 1.919, False) for sign in (1, -1)),
        *((2, sign * 1.921, True) for sign in (1, -1)),
    ],
)
def test_odometry_of_up_to_2_cm_or_3_hundredths_of_a_turn_a_second_is_drift(
    axis: int, step: float, moves: bool
) -> None:
    assert CONFIG.still == (0.02, 0.02, 0.03)
    laser = Liveness()
    assert laser.doubt(room_scan(), np.zeros(3), STANDS, 1.0) == ""
    assert (ALIKE in laser.doubt(nearly(room_scan()), step * np.eye(3)[axis], STANDS, 1.0 + LONG)) == moves


@pytest.mark.parametrize("stamp", [1.0, 0.9])
def test_time_that_does_not_go_on_excuses_no_step(stamp: float) -> None:
    laser = Liveness()
    assert laser.doubt(room_scan(), np.zeros(3), STANDS, 1.0) == ""
    assert ALIKE in laser.doubt(nearly(room_scan()), np.array([0.1, 0.0, 0.0]), STANDS, stamp)


@pytest.mark.parametrize("reading", [0.0, -0.5, RANGE, RANGE + 1.0, math.inf, math.nan])
def test_a_scan_without_any_reading_may_repeat(reading: float) -> None:
    empty, seen = (replace(room_scan(), ranges=np.full(180, r, np.float32)) for r in (reading, RANGE - 1.0))
    laser = Liveness()
    for k in range(3):
        assert told(laser, empty, 1.0 * k) == ""
    near = replace(seen, ranges=np.full(180, 0.5, np.float32))
    for k, scan in enumerate((seen, near)):
        assert told(laser, scan, 4.0 + k) == "" and EXACT in told(laser, scan, 4.5 + k)
    mixed = replace(seen, ranges=np.where(np.arange(180) == 90, seen.ranges, empty.ranges))
    assert told(laser, mixed, 6.0) == "" and EXACT in told(laser, mixed, 7.0), "one beam has returned"


def test_a_laser_whose_beams_change_is_compared_with_its_scans_of_the_same_beams() -> None:
    laser = Liveness()
    for k, beams in enumerate((60, 180, 180)):
        assert told(laser, room_scan(half=2.0 + k, beams=beams), 0.1 * k) == ""
    assert ALIKE in told(laser, nearly(room_scan(half=3.0)), 0.5)
    assert told(laser, nearly(room_scan(half=9.0)), 0.6) == ""
    assert ALIKE in told(laser, nearly(room_scan(half=2.0, beams=60)), 0.7)


@pytest.mark.parametrize("beams", [100, 180, 190, 723])
def test_each_beam_of_the_scan_is_told_old_whose_part_hangs(beams: int) -> None:
    laser, every = Liveness(), math.ceil(beams / 180)
    assert laser.old.tolist() == [], "there is no scan yet"
    hangs = (room_scan(beams=beams).angles[np.arange(beams) // every * every] % (2 * math.pi)) < math.pi / 2
    for k in range(2):
        there = 0.1 * k
        scan = room_scan(there, there, beams=beams)
        scan = replace(scan, ranges=np.where(hangs, room_scan(beams=beams).ranges, scan.ranges))
        assert laser.doubt(scan, np.array([there, there, 0.0]), STANDS, 10.0 + k) == ""
        assert laser.old.tolist() == (hangs & (k > 0)).tolist(), k
