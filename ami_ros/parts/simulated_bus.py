"""The bus in simulated time: an event queue that charges what transport and work take on real nodes.

Each part has one worker, busy until its work is paid for; of the jobs that come meanwhile the newest waits. A part that
answers a question does nothing else until it has: neither its worker nor its handlers run, as with a node whose service
holds the lock on its executor's thread.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.parts.part import Answered, Job, Part
from ami_ros.parts.ports import Port, Question
from ami_ros.parts.timing import Timing

HELD = {"newest": 1, "every": 5, "latched": 1}  # values of a stream that wait for a part, by quality: as ROS keeps
PartT = TypeVar("PartT", bound=Part)
Convert = Callable[[Port, Any], Any]  # a value as it was given -> as a port takes it


class SimulatedBus:
    """Parts, who takes what, and what will happen when.

    Args:
        timing: what is charged.
        seed: of the times.
        now: when it begins [s].
        convert: brings values to the frame of the port that takes them.
    """

    def __init__(
        self, timing: Timing, seed: int = 0, now: float = 0.0, convert: Convert = lambda port, value: value
    ) -> None:
        self.timing, self.time, self._convert = timing, now, convert
        self.seats: dict[str, Seat] = {}
        self.refused: dict[str, str] = {}  # what was said last of a value that a part refused, or of a job that failed
        self._rng = np.random.default_rng([seed, 0xB05])
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._taken: dict[str, list[tuple[Seat, Port]]] = defaultdict(list)
        self._watched: dict[str, list[Callable[[float, Any], None]]] = defaultdict(list)

    def seat(self, name: str) -> Seat:
        """A place for a part; the part is made with it, and then put there by `add`."""
        self.seats[name] = Seat(self, name)
        return self.seats[name]

    def add(self, part: PartT) -> PartT:
        """Puts a part on the seat that it was made with."""
        seat = self.seats[part.name]
        seat.part = part
        for port in part.takes:
            self._taken[port.name].append((seat, port))
        return part

    def now(self) -> float:
        """The robot's clock [s]."""
        return self.time

    def watch(self, port: Port, take: Callable[[float, Any], None]) -> None:
        """Calls `take(stamp, value)` with all that is given there, at once: for the robot itself, and who looks on."""
        self._watched[port.name].append(take)

    def give(self, port: Port, stamp: float, value: Any, at: float | None = None) -> None:
        """Somebody gives a value at the time `at` [s], or now."""
        at = self.time if at is None else at
        for take in self._watched[port.name]:
            self.at(at, lambda take=take: take(stamp, value))  # type: ignore[misc]
        for seat, taken in self._taken[port.name]:
            self.at(seat.arrival(at), lambda s=seat, p=taken: s.deliver(p, stamp, value))  # type: ignore[misc]

    def at(self, time: float, call: Callable[[], object]) -> None:
        """Calls it at `time` [s]."""
        heapq.heappush(self._events, (max(time, self.time), next(self._count), call))

    def run_until(self, time: float) -> None:
        """Lets happen what happens before `time` [s]."""
        while self._events and self._events[0][0] < time:
            self.time, _, call = heapq.heappop(self._events)
            call()
        self.time = time

    def span(self, name: str) -> float:
        """What something takes this time [s]."""
        return self.timing.of(name).draw(self._rng)

    def answerer(self, question: Question) -> Seat | None:
        """Who answers that."""
        return next((s for s in self.seats.values() if s.part is not None and question in s.part.answers), None)

    def converted(self, port: Port, value: Any) -> Any:
        """The value as the port takes it."""
        return self._convert(port, value)


class Seat:
    """The `Bus` of one part."""

    def __init__(self, bus: SimulatedBus, name: str) -> None:
        self._bus, self.name = bus, name
        self.part: Part | None = None
        self._waiting: Job | None = None
        self._working: float | None = None  # since when
        self._busy_until = -np.inf  # of worker
        self._answering_until = -np.inf  # of all
        self._ends: float | None = None  # when the job ends that is being worked at in this very call
        self._held: dict[str, deque[tuple[Port, float, Any]]] = {}
        self._arrived = -np.inf  # when the last value came: they come in the order in which they were given

    # What a part asks for

    def now(self) -> float:
        return self._bus.time

    def steady(self) -> float:
        return self._bus.time

    def give(self, port: Port, stamp: float, value: Any) -> None:
        self._bus.give(port, stamp, value, self._ends)

    def soon(self, call: Callable[[], None]) -> None:
        self._bus.at(self._bus.time if self._ends is None else self._ends, call)

    def busy_for(self) -> float:
        return 0.0 if self._working is None else self._bus.time - self._working

    def work(self, job: Job) -> None:
        self._waiting = job
        self._begin()

    def forget_work(self) -> None:
        self._waiting = None

    def every(self, period: float, call: Callable[[], None], steady: bool = False) -> SimulatedTimer:
        return SimulatedTimer(self._bus, period, call)

    def ask(self, question: Question, request: Any, answered: Answered) -> bool:
        seat = self._bus.answerer(question)
        if seat is None:
            return False
        sent = self._bus.time if self._ends is None else self._ends
        self._bus.at(sent + self._bus.span("transport"), lambda: seat.answer(question, request, answered))
        return True

    def report(self, kind: str, text: str, severe: bool = False) -> None:
        self._bus.refused[f"{self.name} {kind}"] = text

    def say(self, text: str) -> None:
        """Nobody listens."""

    # What happens to it

    def arrival(self, given: float) -> float:
        """When a value comes that was given at `given` [s]."""
        self._arrived = max(self._arrived, given + self._bus.span("transport"))
        return float(self._arrived)

    def deliver(self, port: Port, stamp: float, value: Any) -> None:
        """A value has come."""
        if self._bus.time < self._answering_until:
            self._held.setdefault(port.name, deque(maxlen=HELD[port.quality])).append((port, stamp, value))
            return
        assert self.part is not None
        try:
            self.part.handler(port)(stamp, self._bus.converted(port, value))
        except AmiError as error:  # as a node does: the message is dropped, and the watchdog sees to the rest
            self.report(port.name, str(error))

    def answer(self, question: Question, request: Any, answered: Answered) -> None:
        """A question has come; it waits for the worker, which holds the lock."""
        begin = max(self._bus.time, self._busy_until, self._answering_until)
        if begin > self._bus.time:
            self._answering_until = max(self._answering_until, begin)
            self._bus.at(begin, lambda: self.answer(question, request, answered))
            return
        assert self.part is not None
        ends = begin + self._bus.span(self.part.effort(question, request))
        self._ends = self._busy_until = self._answering_until = ends
        try:
            found = self.part.answer(question, request)
        except AmiError as error:
            found = error
        self._ends = None
        self._bus.at(ends + self._bus.span("transport"), lambda: answered(found))
        self._bus.at(ends, self._resume)

    def _resume(self) -> None:
        """The question is answered: what came meanwhile is handled, and the worker goes on."""
        if self._bus.time < self._answering_until:
            return
        held, self._held = self._held, {}
        for values in held.values():
            for port, stamp, value in values:
                self.deliver(port, stamp, value)
        self._begin()

    def _begin(self) -> None:
        """Begins the job that waits, if the worker is free."""
        job = self._waiting
        if job is None or self._working is not None or self._bus.time < self._busy_until:
            return
        assert self.part is not None
        self._waiting, self._working = None, self._bus.time
        self._ends = self._busy_until = self._bus.time + sum(map(self._bus.span, self.part.working()))
        finish: Callable[[], None] | None = None
        try:
            finish = job()
        except AmiError as error:  # what nobody foresaw ends the run: here no robot has to live on
            self.part.failed(error)
        ends, self._ends = self._ends, None
        self._bus.at(ends, lambda: self._end(finish))

    def _end(self, finish: Callable[[], None] | None) -> None:
        """The job is done, and its time is over."""
        self._working = None
        if finish is not None:
            finish()
        self._begin()
        if self._working is None:
            self._between()

    def _between(self) -> None:
        """While no job waits."""
        if self._waiting is not None or self._working is not None or self._bus.time < self._busy_until:
            return
        assert self.part is not None
        if self.part.between():
            self._working, self._busy_until = self._bus.time, self._bus.time + self._bus.span("prepare")
            self._bus.at(self._busy_until, lambda: self._end(None))


class SimulatedTimer:
    """See `part.Timer`."""

    def __init__(self, bus: SimulatedBus, period: float, call: Callable[[], None]) -> None:
        self._bus, self._period, self._call = bus, period, call
        self._token = 0
        self.reset()

    def reset(self) -> None:
        self._token += 1
        token = self._token
        self._bus.at(self._bus.time + self._period, lambda: self._fire(token))

    def set_period(self, seconds: float) -> None:
        self._period = seconds

    def _fire(self, token: int) -> None:
        if token == self._token:
            self.reset()
            self._call()
