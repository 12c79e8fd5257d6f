"""Parts on the bus in simulated time: what transport, work and questions cost, and what waits for whom."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.runtime.part import Bus, Finish, Part, Port, Question
from ami_ros.runtime.simulated_bus import SimulatedBus, Span, Timing

IN, ALL, OUT = Port("in", int), Port("all", int, "every"), Port("out", int)
COUNT = Question("find_route", int, int)
TIMING = Timing(
    transport=Span(0.01, 0.01), memory=Span(0.1, 0.1), find_route=Span(1.0, 1.0), find_picture=Span(3.0, 3.0)
)


class Counter(Part):
    """Works on each number, and answers how many it worked on."""

    name = "memory"
    takes = (IN, ALL)
    gives = (OUT,)
    answers = (COUNT,)

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.worked: list[int] = []
        self.heard: list[int] = []

    def on_in(self, stamp: float, value: int) -> None:
        if value < 0:
            raise AmiError("negative")
        self.bus.work(lambda: self._work(stamp, value))

    def on_all(self, stamp: float, value: int) -> None:
        self.heard.append(value)

    def _work(self, stamp: float, value: int) -> Finish:
        self.worked.append(value)
        return lambda: self.bus.give(OUT, stamp, value)

    def effort(self, question: Question, request: Any) -> str:
        return "find_picture" if request == 100 else question.name

    def find_route(self, request: int) -> int:
        if request < 0:
            raise AmiError("no way")
        return len(self.worked) + request


@pytest.fixture
def bus() -> SimulatedBus:
    return SimulatedBus(TIMING)


def made(bus: SimulatedBus) -> tuple[Counter, list[tuple[float, int]]]:
    """The part, and what it gave, with the time."""
    part, given = bus.add(Counter(bus.seat("memory"))), list[tuple[float, int]]()
    bus.watch(OUT, lambda stamp, value: given.append((round(bus.time, 6), value)))
    return part, given


def test_transport_and_work_take_their_time_and_the_newest_job_wins(bus: SimulatedBus) -> None:
    part, given = made(bus)
    for value in range(4):
        bus.give(IN, 0.0, value, at=0.03 * value)
    bus.run_until(1.0)
    assert part.worked == [0, 3]  # 1 and 2 came while it worked, and 3 took their place
    assert given == [(0.11, 0), (0.21, 3)]


def test_a_question_waits_for_the_worker_and_holds_everything_up_until_it_is_answered(bus: SimulatedBus) -> None:
    part, given = made(bus)
    answers: list[tuple[float, Any]] = []
    bus.give(IN, 0.0, 1)
    bus.at(0.05, lambda: bus.seat("asker").ask(COUNT, 10, lambda answer: answers.append((round(bus.time, 6), answer))))
    for value in range(8):
        bus.give(ALL, 0.0, value, at=0.2 + 0.01 * value)
    bus.give(IN, 0.0, 2, at=0.2)
    bus.give(IN, 0.0, 3, at=0.3)
    bus.run_until(1.05)
    assert part.heard == [] and part.worked == [1]
    bus.run_until(3.0)
    assert answers == [(1.12, 11)]  # 0.01 there, at 0.11 the worker is done, 1 s, 0.01 back
    assert part.heard == [3, 4, 5, 6, 7]  # a reliable stream keeps five
    assert part.worked == [1, 3] and given[-1] == (1.21, 3)  # of a sensor's the newest waited


def test_a_question_costs_what_it_takes_to_answer_it(bus: SimulatedBus) -> None:
    made(bus)
    answers: list[float] = []
    bus.seat("asker").ask(COUNT, 100, lambda answer: answers.append(round(bus.time, 6)))
    bus.run_until(5.0)
    assert answers == [3.02]


def test_errors_are_answers_and_a_value_that_is_refused_is_dropped(bus: SimulatedBus) -> None:
    part, _ = made(bus)
    answers: list[Any] = []
    assert bus.seat("asker").ask(COUNT, -1, answers.append)
    assert not bus.seat("asker").ask(Question("recall", int, int), 0, answers.append)
    bus.give(IN, 0.0, -1)
    bus.run_until(3.0)
    assert str(answers[0]) == "no way" and not part.worked and bus.refused["memory in"] == "negative"


def test_values_come_in_the_order_in_which_they_were_given_and_seeds_repeat() -> None:
    def heard(seed: int) -> tuple[list[int], float]:
        bus = SimulatedBus(Timing(transport=Span(0.01, 0.2)), seed)
        part, _ = made(bus)
        for value in range(50):
            bus.give(ALL, 0.0, value, at=0.001 * value)
        bus.run_until(9.0)
        return part.heard, bus.span("memory")

    assert heard(1)[0] == list(range(50))
    assert heard(1) == heard(1) != heard(2)


def test_a_timer_that_is_reset_calls_a_period_later(bus: SimulatedBus) -> None:
    calls: list[float] = []
    timer = bus.seat("memory").every(0.1, lambda: calls.append(round(bus.time, 6)))
    bus.at(0.25, timer.reset)
    bus.run_until(0.5)
    assert calls == [0.1, 0.2, 0.35, 0.45]


def test_times_have_the_median_and_the_95th_percentile_that_they_say() -> None:
    rng, span = np.random.default_rng(0), Span(0.03, 0.05)
    drawn = [span.draw(rng) for _ in range(20_000)]
    assert np.percentile(drawn, [50, 95]) == pytest.approx([0.03, 0.05], rel=0.02)
    with pytest.raises(ValueError, match="p50"):
        Span(0.2, 0.1)
