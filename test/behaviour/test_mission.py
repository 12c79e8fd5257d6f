"""Missions: goals in order or in the shortest order, with waits and retries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from ami_ros.behaviour.mission import Mission, MissionPlan, _between, _exact, _two_opt, visiting_order
from ami_ros.behaviour.task import Code, Destination, Leg, Phase, Step, WorldState
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.memory.types import Place, Route
from ami_ros.planning.types import Code as GoalCode

STUCK = GoalCode.FAILED_TO_MAKE_PROGRESS


def place(number: int, wait: float = 0.0) -> Destination:
    return Destination("place", place_id=number, wait=wait)


def plan(*goals: Destination, **options: object) -> MissionPlan:
    return MissionPlan(goals or (place(1), place(2), place(3)), **options)  # type: ignore[arg-type]


class Drive:
    """A clock, and somebody who drives as told."""

    def __init__(self, mission: Mission) -> None:
        self.mission, self.now = mission, 100.0
        self.asked: list[int] = []

    def step(self, seconds: float = 0.5) -> Step:
        self.now += seconds
        return self.mission.step(WorldState(self.now))

    def leg(self, patience: float = 60.0) -> Leg:
        """Steps until the next leg."""
        end = self.now + patience
        while self.now < end:
            step = self.step()
            if step.wants_routes:
                self.asked = [request.goal.place_id for request in step.wants_routes]
                self.mission.set_routes([straight(request.goal.place_id) for request in step.wants_routes])
            if step.leg is not None:
                return step.leg
        raise AssertionError(f"no leg: {self.mission.phase}, {self.mission.message}")

    def end(self, leg: Leg, code: int = 0, message: str = "") -> None:
        self.mission.ended(leg.number, code == 0, code, message, self.now)


def straight(number: int) -> Route:
    """Places on one line: place k is k metres ahead."""
    poses = [np.array([x, 0.0, 0.0]) for x in np.arange(0.0, number + 0.1, 0.5)]
    places = [Place(k + 1, pose, np.zeros(4, np.float32), "", "", 0.0, 0.0, 1) for k, pose in enumerate(poses)]
    return Route(places, float(number), poses[-1], 1.0)


def visit(mission: Mission, codes: Sequence[int]) -> list[int]:
    """Drives one leg for each code; returns the places of the legs."""
    drive, places = Drive(mission), []
    for code in codes:
        leg = drive.leg()
        places.append(leg.destination.place_id)
        drive.end(leg, code, "stuck" if code else "")
    drive.step(), drive.step()
    return places


def test_ordered_goals_are_visited_in_their_order_and_then_it_is_done() -> None:
    mission = Mission(plan(place(3), place(1), place(2)))
    assert visit(mission, [0, 0, 0]) == [3, 1, 2]
    assert mission.phase is Phase.DONE and mission.code is Code.NONE and "all 3" in mission.message
    assert mission.progress.visited == (0, 1, 2) and not mission.remaining


def test_unordered_goals_are_visited_by_the_lengths_of_memorys_routes() -> None:
    mission = Mission(plan(place(3), place(1), place(2), ordered=False))
    assert visit(mission, [0, 0, 0]) == [1, 2, 3]
    assert mission.progress.visited == (1, 2, 0)


def test_goals_that_memory_cannot_place_come_last_in_their_own_order() -> None:
    picture = Destination("picture", picture="aGVsbG8=")
    in_odom = Destination("pose", pose=(1.0, 2.0, 0.0))
    mission = Mission(plan(picture, place(5), in_odom, place(1), ordered=False))
    drive = Drive(mission)
    kinds = []
    for _ in range(4):
        leg = drive.leg()
        kinds.append(leg.destination.place_id or leg.destination.kind)
        drive.end(leg)
    assert kinds == [1, 5, "picture", "pose"]


def test_without_any_answer_of_memory_the_goals_keep_their_order() -> None:
    mission = Mission(plan(place(3), place(1), ordered=False))
    wanted = mission.step(WorldState(1.0)).wants_routes
    assert [request.goal.place_id for request in wanted] == [3, 1]
    mission.set_routes([AmiError("lost", 10242)] * 2)
    leg = mission.step(WorldState(1.2)).leg
    assert leg is not None and leg.destination.place_id == 3


def test_memory_is_asked_anew_for_each_leg_for_the_robot_is_elsewhere_then() -> None:
    drive = Drive(Mission(plan(place(3), place(1), place(2), ordered=False)))
    drive.end(drive.leg())
    drive.leg()
    assert drive.asked == [3, 2]


def test_robot_stays_at_each_goal_as_long_as_was_asked() -> None:
    drive = Drive(Mission(plan(place(1, wait=5.0), place(2))))
    drive.end(drive.leg())
    reached = drive.now
    assert drive.mission.phase is Phase.WAITING
    drive.leg()
    assert 5.0 <= drive.now - reached <= 6.5


def test_a_clock_that_is_turned_back_while_waiting_begins_the_wait_anew() -> None:
    drive = Drive(Mission(plan(place(1, wait=5.0), place(2))))
    drive.end(drive.leg())
    drive.step()
    drive.now = 3.0
    drive.leg()
    assert 8.0 <= drive.now <= 9.5


def test_a_missed_goal_is_tried_again_after_a_pause_and_then_given_up() -> None:
    mission = Mission(plan(place(1), place(2), retries=1, retry_pause=3.0))
    drive = Drive(mission)
    drive.end(drive.leg(), STUCK, "stuck")
    missed = drive.now
    again = drive.leg()
    assert again.destination.place_id == 1 and drive.now - missed >= 3.0 and "try 2" in again.reason
    drive.end(again, STUCK, "stuck")
    assert drive.leg().destination.place_id == 2
    record = mission.progress.records[0]
    assert record.closed and not record.reached and record.code == STUCK and record.tries == 2


def test_unordered_goals_that_were_missed_are_tried_after_the_others() -> None:
    mission = Mission(plan(place(1), place(2), place(3), ordered=False, retries=1))
    assert visit(mission, [STUCK, 0, 0, 0]) == [1, 2, 3, 1]
    assert mission.code is Code.NONE and mission.progress.records[0].tries == 2


def test_missed_goals_are_named_at_the_end() -> None:
    mission = Mission(plan(retries=0))
    visit(mission, [0, STUCK, 0])
    assert mission.phase is Phase.DONE and mission.code is Code.GOALS_MISSED and "[2]" in mission.message


def test_a_goal_that_no_try_can_help_is_tried_once() -> None:
    mission = Mission(plan(place(1), place(2), retries=5))
    assert visit(mission, [GoalCode.ENCODER_MISMATCH, 0]) == [1, 2]


def test_a_missed_goal_ends_the_mission_if_that_was_asked() -> None:
    mission = Mission(plan(retries=0, stop_at_failure=True))
    assert visit(mission, [STUCK]) == [1]
    assert mission.phase is Phase.DONE and "goal 1 of 3 was missed: stuck" in mission.message


@pytest.mark.parametrize("phase", [Phase.CHOOSING, Phase.DRIVING, Phase.WAITING])
def test_it_can_be_canceled_in_each_phase_and_says_no_more(phase: Phase) -> None:
    mission = Mission(plan(place(1, wait=9.0), place(2)))
    drive = Drive(mission)
    if phase is not Phase.CHOOSING:
        leg = drive.leg()
    if phase is Phase.WAITING:
        drive.end(leg)
    assert mission.phase is phase
    mission.finish(Code.CANCELED, "canceled")
    if phase is Phase.DRIVING:
        drive.end(leg)
    assert drive.step(100.0) == Step() and mission.code is Code.CANCELED and mission.message == "canceled"


def test_time_is_over_in_any_phase() -> None:
    drive = Drive(Mission(plan(allowance=10.0)))
    drive.leg()
    for _ in range(30):
        drive.step()
    assert drive.mission.code is Code.TIMEOUT and 10.0 <= drive.mission.progress.elapsed < 11.0


def test_a_leg_that_lost_its_driver_is_driven_again_and_counts_as_no_try() -> None:
    drive = Drive(Mission(plan(retries=0)))
    first = drive.leg()
    drive.mission.interrupted()
    again = drive.leg()
    assert again.destination == first.destination and again.number > first.number
    drive.end(first, STUCK, "an old word")
    assert drive.mission.phase is Phase.DRIVING and drive.mission.progress.records[0].tries == 0


def test_each_leg_has_the_allowance_of_the_plan() -> None:
    assert Drive(Mission(plan(leg_allowance=42.0))).leg().allowance == 42.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"goals": []}, "1 to 100 goals"),
        ({"goals": [{"kind": "place", "place_id": 1}] * 101}, "found 101"),
        ({"goals": [{"kind": "place"}]}, "needs its id or its label"),
        ({"goals": [{"kind": "pose", "pose": [0.0, float("nan"), 0.0]}]}, "found NaN"),
        ({"goals": [{"kind": "latent", "latent": []}]}, "finite numbers"),
        ({"goals": [{"kind": "picture"}]}, "empty"),
        ({"goals": [{"kind": "place", "place_id": 1, "wait": -1.0}]}, "wait must be"),
        ({"goals": [{"kind": "place", "place_id": 1, "wait": float("nan")}]}, "found NaN"),
        ({"goals": [{"kind": "teapot"}]}, "not one of"),
        ({"goals": [{"kind": "place", "place_id": 1}], "retries": -1}, "retries"),
        ({"goals": [{"kind": "place", "place_id": 1}], "allowance": float("inf")}, "allowance"),
    ],
)
def test_bad_plans_are_refused_with_the_reason(values: dict[str, object], words: str) -> None:
    with pytest.raises(AmiError, match=words):
        from_mapping(MissionPlan, values, "mission")


# The order in which goals are visited


def route(*corners: tuple[float, float]) -> Route:
    """A route over straight lines, with a place each 0.3 m."""
    points = [np.array(corners[0])]
    for corner in corners[1:]:
        step = np.array(corner) - points[-1]
        count = max(1, round(float(np.hypot(*step)) / 0.3))
        points += [points[-1] + step * (k + 1) / count for k in range(count)]
    poses = [np.array([*point, 0.0]) for point in points]
    places = [Place(k + 1, pose, np.zeros(4, np.float32), "", "", 0.0, 0.0, 1) for k, pose in enumerate(poses)]
    length = float(np.hypot(*np.diff(np.stack(points), axis=0).T).sum())
    return Route(places, length, poses[-1], 1.0)


def test_of_no_goal_and_of_one_the_order_is_plain() -> None:
    assert visiting_order([]) == []
    assert visiting_order([route((0.0, 0.0), (3.0, 0.0))]) == [0]


def test_goals_along_one_corridor_are_visited_as_they_come() -> None:
    far, near, middle = (route((0.0, 0.0), (x, 0.0)) for x in (9.0, 2.0, 5.0))
    assert visiting_order([far, near, middle]) == [1, 2, 0]


def test_the_short_side_comes_first_though_a_goal_on_the_long_side_is_nearest() -> None:
    """Nearest-first would go right, left, and right again."""
    right, far_right, left = route((0, 0), (1.0, 0)), route((0, 0), (8.0, 0)), route((0, 0), (-1.5, 0))
    assert visiting_order([right, far_right, left]) == [2, 0, 1]


def test_two_goals_behind_one_door_belong_together_though_a_wall_apart_is_nearer() -> None:
    door = (4.0, 0.0)
    behind = route((0, 0), door, (4.0, 3.0))
    also_behind = route((0, 0), door, (6.0, 0.0))
    wall_apart = route((0, 0), (0.0, 3.0), (3.1, 3.0))  # 0.9 m from the first goal, but on this side
    order = visiting_order([behind, wall_apart, also_behind])
    assert order.index(1) in (0, 2), "between the two goals behind the door it would pass the door three times"


@pytest.mark.parametrize("count", [4, 12])
def test_order_is_no_longer_than_any_that_was_tried(count: int) -> None:
    rng = np.random.default_rng(count)
    routes = [route((0, 0), (x, 0.0), (x, y)) for x, y in rng.uniform(-6, 6, (count, 2))]
    assert sorted(visiting_order(routes)) == list(range(count))
    first = np.array([r.length for r in routes])
    between = np.array([[_between(a, b) for b in routes] for a in routes])
    found = length(visiting_order(routes), first, between)
    tried = itertools.permutations(range(count)) if count < 6 else (rng.permutation(count) for _ in range(500))
    assert found <= min(length(list(order), first, between) for order in tried) + 1e-9


def test_many_goals_get_nearly_the_order_that_an_exact_search_finds() -> None:
    rng = np.random.default_rng(3)
    routes = [route((0, 0), (x, 0.0), (x, y)) for x, y in rng.uniform(-6, 6, (8, 2))]
    first = np.array([r.length for r in routes])
    between = np.array([[_between(a, b) for b in routes] for a in routes])
    exact = length(_exact(first, between), first, between)
    assert exact <= length(_two_opt(first, between), first, between) + 1e-9 <= 1.3 * exact


def length(order: list[int], first: Array, between: Array) -> float:
    return float(first[order[0]] + sum(between[a, b] for a, b in zip(order[:-1], order[1:], strict=True)))
