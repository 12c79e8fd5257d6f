from concurrent.futures import Future
from typing import Any

import pytest

from ami_ros.console.desk import DeadMan, Desk, HandConfig, Keys, Viewer, done
from ami_ros.console.requests import (
    Cancel,
    GiveBack,
    GoTo,
    KeepView,
    Release,
    Request,
    Steer,
    Stop,
    TakeOver,
    Thumbnail,
)
from ami_ros.core.errors import AmiError

KEYS = Keys("drive-key", "watch-key")
GOAL = GoTo(1.0, 2.0)
CONFIG = HandConfig()


class Asked:
    """Notes what reaches the robot."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def ask(self, request: Request) -> Future[Any]:
        self.got.append(request)
        return done("as you wish")

    def steer(self, linear: float, angular: float) -> None:
        self.got.append((linear, angular))

    def let_go(self) -> None:
        self.got.append("let go")


@pytest.fixture
def robot() -> Asked:
    return Asked()


@pytest.fixture
def desk(robot: Asked) -> Desk:
    return Desk(robot, KEYS)


def enter(desk: Desk, key: str = KEYS.drive) -> Viewer:
    return desk.enter(key, "192.0.2.7")


@pytest.mark.parametrize("key", ["", "x", "drive-kez", "drive-key ", "ключ", "\0", "d" * 10_000])
def test_a_wrong_key_lets_nobody_in(desk: Desk, key: str) -> None:
    with pytest.raises(AmiError, match="wrong key"):
        enter(desk, key)
    assert not desk.viewers


def test_keys_are_new_each_time() -> None:
    keys = {key for _ in range(20) for key in (Keys.new().drive, Keys.new().watch)}
    assert len(keys) == 40 and min(map(len, keys)) >= 20


def test_who_only_watches_may_stop_the_robot_and_nothing_else(desk: Desk, robot: Asked) -> None:
    watcher = enter(desk, KEYS.watch)
    for request in (GOAL, Steer(1.0), Cancel(), Release(), TakeOver(), GiveBack(), KeepView()):
        with pytest.raises(AmiError, match="may watch"):
            desk.ask(watcher, request)
    assert robot.got == []
    desk.ask(watcher, Stop())
    desk.ask(watcher, Thumbnail())
    assert [request for request in robot.got if request != "let go"] == [Stop(), Thumbnail()]


def test_the_first_who_acts_has_the_robot_until_another_takes_over(desk: Desk, robot: Asked) -> None:
    first, second = enter(desk), enter(desk)
    desk.ask(first, GOAL)
    assert desk.driver is first
    with pytest.raises(AmiError, match="viewer 1 has the robot; take over first"):
        desk.ask(second, GOAL)
    with pytest.raises(AmiError, match="viewer 1 has the robot"):
        desk.ask(second, Steer(1.0))
    desk.ask(second, Stop())  # that may anybody
    desk.ask(second, TakeOver())
    assert desk.driver is second
    with pytest.raises(AmiError, match="viewer 2 has the robot"):
        desk.ask(first, Steer(1.0))
    with pytest.raises(AmiError, match="does not have"):
        desk.ask(first, GiveBack())
    desk.ask(second, GiveBack())
    assert desk.driver is None
    desk.ask(first, GOAL)
    assert robot.got.count(GOAL) == 2 and "let go" in robot.got


def test_who_leaves_lets_go_of_the_robot(desk: Desk, robot: Asked) -> None:
    first, second = enter(desk), enter(desk)
    desk.ask(first, Steer(1.0, 0.0))
    desk.leave(second)
    assert robot.got == [(1.0, 0.0)]
    desk.leave(first)
    assert robot.got == [(1.0, 0.0), "let go"] and desk.driver is None
    desk.leave(first)
    assert robot.got[-2:] == [(1.0, 0.0), "let go"]


def test_each_action_is_logged_with_who_did_it(robot: Asked) -> None:
    told: list[str] = []
    desk = Desk(robot, KEYS, told.append)
    viewer = enter(desk)
    for request in (GOAL, Steer(0.5), Steer(0.6), Stop(), Release()):
        desk.ask(viewer, request)
    desk.leave(viewer)
    assert told == [
        "viewer 1 looks, from 192.0.2.7", "viewer 1: goal 1.00, 2.00 m", "viewer 1: STOP",
        "viewer 1: release of the stop", "viewer 1 is gone",
    ]  # fmt: skip
    assert [line for _, line in desk.log] == told


def test_the_robot_hears_how_many_look(robot: Asked) -> None:
    counts: list[int] = []
    desk = Desk(robot, KEYS, audience=counts.append)
    first, second = enter(desk), enter(desk, KEYS.watch)
    desk.leave(first)
    desk.leave(second)
    assert counts == [1, 2, 1, 0]


def test_pages_without_end_are_refused(desk: Desk) -> None:
    for _ in range(16):
        enter(desk)
    with pytest.raises(AmiError, match="pages are open"):
        enter(desk)


def test_a_flood_of_requests_is_an_error_and_a_steering_page_is_none() -> None:
    viewer = Viewer(1, True)
    with pytest.raises(AmiError, match="requests a second"):
        for _ in range(150):
            viewer.count()


def test_nothing_is_sent_before_somebody_steers() -> None:
    hand = DeadMan()
    assert hand.output(10.0) is None
    hand.let_go(10.0)
    assert hand.output(10.0) is None and not hand.engaged(10.0)


def test_a_command_holds_only_as_long_as_it_is_said_again() -> None:
    hand = DeadMan(HandConfig(linear=0.4, angular=1.0))
    hand.steer(1.0, -0.5, 10.0)
    assert hand.output(10.0 + CONFIG.silence - 0.01) == (0.4, -0.5)
    assert hand.output(10.0 + CONFIG.silence + 0.01) == (0.0, 0.0)
    hand.steer(0.5, 0.0, 10.4)
    assert hand.output(10.4) == (0.2, 0.0)


def test_zero_is_sent_for_a_while_and_then_nothing_at_all() -> None:
    hand = DeadMan()
    hand.steer(1.0, 0.0, 10.0)
    assert hand.output(10.0 + CONFIG.silence + CONFIG.stands_for - 0.01) == (0.0, 0.0)
    assert hand.output(10.0 + CONFIG.silence + CONFIG.stands_for + 0.01) is None


def test_who_lets_go_stops_the_robot_at_once() -> None:
    hand = DeadMan()
    hand.steer(1.0, 1.0, 10.0)
    hand.let_go(10.05)
    assert hand.output(10.05 + 1e-6) == (0.0, 0.0) and not hand.engaged(10.06)


def test_after_somebody_else_has_the_robot_not_even_zero_is_sent() -> None:
    hand = DeadMan()
    hand.steer(1.0, 1.0, 10.0)
    hand.drop()
    assert hand.output(10.01) is None
