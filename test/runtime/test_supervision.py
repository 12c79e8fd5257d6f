"""Nodes are brought up in order, and back when they are lost: not too fast, and not for ever."""

from __future__ import annotations

import math

import pytest

from ami_ros.runtime.supervision import Beat, Code, Order, Supervision, SupervisionConfig, backoff

NAMES = ("safety", "planner")


class World:
    """Nodes that do as they are told, on a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.supervision = Supervision(NAMES, SupervisionConfig(), self.now)
        self.state = dict.fromkeys(NAMES, "unconfigured")
        self.pid = {name: 10 * (1 + index) for index, name in enumerate(NAMES)}
        self.failure = dict.fromkeys(NAMES, "")
        self.stopped = False  # at the gate
        self.mute: set[str] = set()
        self.deaf: set[str] = set()
        self.orders: list[tuple[str, str]] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            for name in NAMES:
                if name not in self.mute:
                    stopped = self.stopped and name == "safety"
                    beat = Beat(name, self.state[name], self.pid[name], "here", self.failure[name], stopped)
                    self.supervision.heard(beat, self.now)
            for order in self.supervision.tick(self.now):
                self.obey(order)

    def obey(self, order: Order) -> None:
        self.orders.append((order.action, order.node))
        if order.action == "kill":
            self.mute.add(order.node)
        elif order.node not in self.deaf:
            works = not self.failure[order.node]
            if works:
                self.state[order.node] = "inactive" if order.action == "configure" else "active"
            self.supervision.answered(order.node, order.action, works, self.now)

    def die(self, name: str) -> None:
        self.supervision.died(self.pid[name], "here", self.now)
        self.mute.add(name)

    def rise(self, name: str) -> None:
        """A new process of a node."""
        self.pid[name] += 1
        self.state[name] = "unconfigured"
        self.mute.discard(name)

    @property
    def code(self) -> Code:
        return self.supervision.verdict().code


@pytest.fixture
def world() -> World:
    return World()


def test_nodes_are_configured_at_once_and_activated_in_order(world: World) -> None:
    world.deaf = {"planner"}
    world.run(1.0)
    assert world.code is Code.STARTING
    assert world.orders == [("configure", "safety"), ("configure", "planner"), ("activate", "safety")]
    world.deaf = set()
    world.run(3.0)  # what it did not hear is said again
    assert world.code is Code.NONE and world.orders[3:] == [("configure", "planner"), ("activate", "planner")]


def test_a_node_is_not_asked_before_it_can_be(world: World) -> None:
    world.supervision.heard(Beat("safety", "unconfigured", 1), 0.1)
    assert not world.supervision.tick(0.2, lambda name: False)
    assert world.supervision.tick(0.3, lambda name: True)


def test_a_node_that_died_comes_back_and_the_first_time_at_once(world: World) -> None:
    world.run(1.0)
    world.die("planner")
    assert world.code is Code.RESTARTING and "planner" in world.supervision.verdict().message
    world.supervision.heard(
        Beat("planner", "active", world.pid["planner"], "here"), world.now
    )  # a late word of the dead
    assert world.code is Code.RESTARTING
    world.rise("planner")
    world.run(0.5)
    assert world.code is Code.NONE


def test_pauses_grow_and_end() -> None:
    assert [backoff(n) for n in range(1, 9)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


@pytest.mark.fault("a process dies again and again")
def test_a_node_that_dies_again_and_again_is_given_up_with_a_code(world: World) -> None:
    for _ in range(6):
        world.run(10.0)
        assert world.code is Code.NONE
        world.die("planner")
        world.rise("planner")
    assert world.code is Code.RESTARTS_EXHAUSTED
    world.orders.clear()
    world.run(10.0)
    assert world.code is Code.RESTARTS_EXHAUSTED and not world.orders


def test_losses_of_long_ago_are_forgiven(world: World) -> None:
    for _ in range(12):
        world.run(200.0)
        world.die("planner")
        world.rise("planner")
    world.run(10.0)
    assert world.code is Code.NONE


def test_a_node_that_hangs_is_killed(world: World) -> None:
    world.run(1.0)
    world.mute = {"planner"}
    world.run(9.0)
    assert world.code is Code.NONE
    world.run(2.0)
    assert world.orders[-1] == ("kill", "planner") and world.code is Code.RESTARTING


def test_a_machine_that_slept_kills_nobody(world: World) -> None:
    world.run(1.0)
    world.now += 3600.0
    world.run(1.0)
    assert world.code is Code.NONE and ("kill", "planner") not in world.orders


def test_a_mistake_in_the_set_up_ends_the_start_and_names_itself(world: World) -> None:
    world.failure["planner"] = "model /no: config.yaml is missing"
    world.run(2.0)
    verdict = world.supervision.verdict()
    assert verdict.code is Code.START_FAILED and "planner could not start: model /no" in verdict.message


def test_a_node_that_cannot_come_back_is_tried_again(world: World) -> None:
    world.run(1.0)
    world.die("planner")
    world.failure["planner"] = "the disk is away"
    world.rise("planner")
    world.run(1.0)
    assert world.code is Code.RESTARTING
    world.failure["planner"] = ""
    world.run(5.0)
    assert world.code is Code.NONE


def test_a_transition_that_somebody_else_made_first_is_no_failure(world: World) -> None:
    supervision = world.supervision
    supervision.heard(Beat("safety", "unconfigured", 1), 0.1)
    assert supervision.tick(0.2)
    supervision.answered("safety", "configure", False, 0.3)
    supervision.heard(Beat("safety", "active", 1), 0.4)
    assert not supervision.tick(1.0) and supervision.wards["safety"].active and world.code is Code.STARTING


def test_a_node_that_somebody_takes_down_is_left_alone_and_named(world: World) -> None:
    world.run(1.0)
    world.state["planner"], world.orders = "inactive", []
    world.run(5.0)
    assert not world.orders and world.code is Code.NOT_ACTIVE and "planner" in world.supervision.verdict().message
    world.state["planner"] = "active"
    world.run(0.5)
    assert world.code is Code.NONE


def test_a_node_that_never_shows_itself_ends_the_start(world: World) -> None:
    world.mute = {"planner"}
    world.run(170.0)
    assert world.code is Code.STARTING
    world.run(20.0)
    assert world.code is Code.START_FAILED and "planner" in world.supervision.verdict().message


def test_a_supervisor_that_comes_later_takes_over_what_is_active(world: World) -> None:
    world.state = dict.fromkeys(NAMES, "active")
    world.run(0.2)
    assert world.code is Code.NONE and not world.orders


def test_the_silence_of_a_node_counts_from_when_it_was_active(world: World) -> None:
    supervision = world.supervision
    assert supervision.silent_for("safety", world.now) == 0.0
    world.run(1.0)
    assert supervision.silent_for("safety", world.now + 0.3) == pytest.approx(0.3)
    world.die("safety")
    assert supervision.silent_for("safety", world.now) == math.inf
    world.rise("safety")
    world.run(0.5)
    assert supervision.silent_for("safety", world.now) == 0.0


def test_an_emergency_stop_outlives_the_gates_process_until_it_is_released() -> None:
    world = World()
    world.run(2.0)
    world.stopped = True
    world.run(0.2)
    assert world.code is Code.NONE
    world.die("safety")
    world.stopped = False  # the new process begins without
    world.rise("safety")
    world.run(2.0)
    gate = world.supervision.wards["safety"]
    assert gate.forgot and world.code is Code.RESTARTING and gate.active
    world.stopped = True  # it was told
    world.run(0.2)
    assert world.code is Code.NONE and not gate.forgot
    world.stopped = False  # released
    world.run(0.2)
    assert world.code is Code.NONE and not gate.forgot
    world.die("safety")
    world.rise("safety")
    world.run(3.0)
    assert world.code is Code.NONE
