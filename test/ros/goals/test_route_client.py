"""Memory is asked for routes without waiting for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ami_interfaces.srv import FindRoute
from ami_ros.core.errors import AmiError
from ami_ros.memory.types import Code, GoalQuery, Route
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.goals.clients import RouteClient
from ami_ros.runtime.part import Answered, Question
from ami_ros.runtime.routes import Routes
from ami_ros.runtime.simulated_bus import Seat, SimulatedBus, Timing
from harness.ros import RosPeer

WANTED = [RouteRequest(GoalQuery(place_id=5)), RouteRequest(GoalQuery(place_id=6), 1, ((3, 4),))]


class Asker(Seat):
    """A part's bus, with steady time and a client of ROS."""

    def __init__(self, client: RouteClient) -> None:
        super().__init__(SimulatedBus(Timing.none()), "planner")
        self.client = client

    def steady(self) -> float:
        return time.monotonic()

    def ask(self, question: Question, request: Any, answered: Answered) -> bool:
        return self.client.ask(request, answered)


def make(ros: RosPeer, timeout: float) -> tuple[RouteClient, Routes]:
    client = RouteClient(ros.node, "map", lambda: "exact")
    return client, Routes(Asker(client), timeout)


@pytest.fixture
def routes(ros: RosPeer) -> Iterator[Routes]:
    client, made = make(ros, 60.0)
    yield made
    client.destroy()


def test_answers_come_once_and_in_the_order_of_the_questions(ros: RosPeer, routes: Routes) -> None:
    def find(request: FindRoute.Request, response: FindRoute.Response) -> FindRoute.Response:
        asked = (request.goal.place_id, request.hypothesis, list(request.avoid_edges))
        response.success, response.length = asked == (5, 0, []), 2.5
        response.error_code, response.error_msg = FindRoute.Response.NO_ROUTE, f"no way for {asked}"
        return response

    routes.ask(WANTED)  # before there is a memory: it is sent as soon as there is one
    assert routes.pending and routes.poll() is None
    ros.node.create_service(FindRoute, "memory/find_route", find)
    first, second = ros.spin_until(lambda: routes.poll() or [])
    assert isinstance(first, Route) and first.length == 2.5
    assert isinstance(second, AmiError) and second.code == Code.NO_ROUTE and "(6, 1, [3, 4])" in str(second)
    assert not routes.pending and routes.poll() is None


def test_a_newer_question_replaces_the_older_and_forgotten_ones_have_no_answer(ros: RosPeer, routes: Routes) -> None:
    def find(request: FindRoute.Request, response: FindRoute.Response) -> FindRoute.Response:
        response.success, response.length = True, float(request.goal.place_id)
        return response

    ros.node.create_service(FindRoute, "memory/find_route", find)
    routes.ask(WANTED)
    routes.ask(WANTED[1:])
    (only,) = ros.spin_until(lambda: routes.poll() or [])
    assert isinstance(only, Route) and only.length == 6.0
    routes.ask(WANTED)
    routes.forget()
    assert not routes.pending and routes.poll() is None


@pytest.mark.parametrize("silent", [True, False], ids=["memory that hangs", "no memory"])
def test_a_memory_that_does_not_answer_is_an_error_with_its_own_code_and_nobody_waits_for_it(
    ros: RosPeer, silent: bool
) -> None:
    client, routes = make(ros, 0.2)
    asked: list[Any] = []
    if silent:  # its node is never spun
        other = ros.make_node("memory")
        ros.executor.remove_node(other)
        other.create_service(FindRoute, "memory/find_route", lambda request, response: asked.append(request))
        ros.spin_until(client._client.service_is_ready)
    began = time.monotonic()
    routes.ask(WANTED)
    assert routes.poll() is None or time.monotonic() - began > 0.2
    errors = ros.spin_until(lambda: routes.poll() or [])
    assert [error.code for error in errors if isinstance(error, AmiError)] == [Code.NO_ANSWER] * 2 and not asked
    assert ("did not answer" if silent else "no node offers") in str(errors[0])
    client.destroy()
