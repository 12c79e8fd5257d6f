"""The bus in simulated time, what it charges, and goals that are given in this process."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ami_ros.behaviour.task import Leg
from ami_ros.core.commands import STILL
from ami_ros.core.errors import AmiError
from ami_ros.planning.types import Code, Decision
from ami_ros.runtime.goal_execution import GoalExecution
from ami_ros.runtime.mission import LegOutcome
from ami_ros.runtime.part import CMD_VEL_RAW, Answered, Job, Part, Port, Question

P95 = 1.6449  # standard deviations above the median


@dataclass(frozen=True)
class Span:
    """A time that varies, as a log-normal distribution."""

    p50: float  # [s]
    p95: float  # [s]

    def __post_init__(self) -> None:
        if not 0 <= self.p50 <= self.p95:
            raise ValueError(f"p50 and p95 of a time must be 0 <= p50 <= p95, found {self.p50} and {self.p95}")

    def draw(self, rng: np.random.Generator) -> float:
        """One of them [s]."""
        if self.p50 == 0:
            return 0.0
        return float(self.p50 * math.exp(rng.standard_normal() * math.log(self.p95 / self.p50) / P95))


NOTHING = Span(0.0, 0.0)


@dataclass(frozen=True)
class Timing:
    """What each part's work costs, and each step between two parts."""

    transport: Span = Span(0.0015, 0.010)  # from one node to another
    perception: Span = Span(0.0045, 0.014)  # encodes a frame
    picture: Span = Span(0.0127, 0.0135)  # makes the code of its picture; of processor time, models/general
    world_model: Span = Span(0.0027, 0.018)  # compares a moment with its prediction
    memory: Span = Span(0.0088, 0.037)  # takes in a moment
    prepare: Span = Span(0.008, 0.020)  # memory, between moments: what the next goal will need
    planner: Span = Span(0.032, 0.043)  # decides, a search of 40 ms at most included
    find_route: Span = Span(0.005, 0.020)  # memory answers
    # The same where pictures are compared: of processor time, three questions in a home of 120 places, models/general.
    find_picture: Span = Span(0.17, 0.20)

    def of(self, name: str) -> Span:
        """Of a part's work or an answer; what is not listed takes no time."""
        found: Span = getattr(self, name, NOTHING)
        return found

    @classmethod
    def none(cls) -> Timing:
        """Nothing takes time."""
        return cls(**dict.fromkeys(cls.__dataclass_fields__, NOTHING))


HELD = {"newest": 1, "every": 5, "latched": 1}  # values of a stream that wait for a part, by quality: as ROS keeps
PartT = TypeVar("PartT", bound=Part)
Convert = Callable[[Port, Any], Any]  # a value as it was given -> as a port takes it


class SimulatedBus:
    """An event queue that charges what transport and work take on real nodes: parts, who takes what, and what will
    happen when.

    Each part has one worker, busy until its work is paid for; of the jobs that come meanwhile the newest waits. A part
    that answers a question does nothing else until it has: neither its worker nor its handlers run, as with a node
    whose service holds the lock on its executor's thread.

    Args:
        timing: what is charged.
        seed: of the times.
        now: when it begins [s].
        convert: brings values to the frame of the port that takes them.
    """

    def __init__(
        self, timing: Timing, seed: int = 0, now: float = 0.0, convert: Convert = lambda port, value: value
    ) -> None:
        self.timing, self.time, self.convert = timing, now, convert
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

    steady = now

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
        seats = self._bus.seats.values()
        seat = next((s for s in seats if s.part is not None and question in s.part.answers), None)
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
            self.part.handler(port)(stamp, self._bus.convert(port, value))
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


Ended = Callable[[GoalExecution, LegOutcome], None]


class LocalGoals:
    """The goal of a planner on a simulated bus; see `planner.Goals`.

    Attributes:
        ended: how the newest goal failed; None: it has not.
    """

    def __init__(self, bus: SimulatedBus) -> None:
        self._bus, self._told = bus, list[Ended]()
        self.current: GoalExecution | None = None
        self.ended: Decision | None = None
        self.last_error = (Code.NONE, "")

    def tell(self, told: Ended) -> None:
        """Who is told of each end; its outcome says 0 as the leg."""
        self._told.append(told)

    def start(self, execution: GoalExecution) -> None:
        """A goal in place of any other."""
        if self.current is not None:
            execution.take_over(self.current)
        self.current, self.ended, self.last_error = execution, None, (Code.NONE, "")

    def cancel(self) -> None:
        """No goal any more: the robot stands."""
        if self.current is not None:
            self.current = None
            self._bus.give(CMD_VEL_RAW, self._bus.time, STILL)

    def finish(self, execution: GoalExecution, succeeded: bool, code: Code, message: str) -> None:
        """See `planner.Goals`."""
        if execution is not self.current:
            return
        self.cancel()
        self.last_error = code, message if code else ""
        self.ended = None if succeeded else Decision.failed(code, message)
        for told in self._told:
            told(execution, LegOutcome(0, succeeded, int(code), message))

    def progress(self, execution: GoalExecution, now: float) -> None:
        """Nobody waits for it."""


class LocalLegs:
    """Sends legs to a planner on a simulated bus; see `mission.Legs`.

    Args:
        bus: charges the way there and back.
        goals: of the planner.
        start: sets out to a leg, as the planner does when its goal arrives.

    Attributes:
        begun: is told of each leg that is sent.
        over: is told how a leg ended; of one whose place another took it is not.
    """

    ready = True
    silence = 0.0

    def __init__(self, bus: SimulatedBus, goals: LocalGoals, start: Callable[[Leg], GoalExecution]) -> None:
        self._bus, self._goals, self._start = bus, goals, start
        self.leg: Leg | None = None
        self.distance = math.nan
        self.begun: Callable[[Leg], None] = lambda leg: None
        self.over: Callable[[Leg, LegOutcome], None] = lambda leg, outcome: None
        self._outcome: LegOutcome | None = None
        self._execution: GoalExecution | None = None
        goals.tell(self._ended)

    def send(self, leg: Leg) -> None:
        """See `mission.Legs`."""
        self.leg, self._outcome, self._execution = leg, None, None
        self.begun(leg)
        self._later(lambda: self._set_out(leg))

    def cancel(self) -> None:
        """See `mission.Legs`."""
        if self._execution is not None and self._execution is self._goals.current:
            self._goals.cancel()
        self.leg = self._outcome = self._execution = None

    def take_outcome(self) -> LegOutcome | None:
        """See `mission.Legs`."""
        outcome, self._outcome = self._outcome, None
        return outcome

    def _later(self, call: Callable[[], None]) -> None:
        self._bus.at(self._bus.time + self._bus.span("transport"), call)

    def _set_out(self, leg: Leg) -> None:
        if leg is self.leg:
            self._execution = self._start(leg)

    def _ended(self, execution: GoalExecution, outcome: LegOutcome) -> None:
        leg = self.leg
        if leg is None or execution is not self._execution:
            return
        outcome = LegOutcome(leg.number, outcome.succeeded, outcome.code, outcome.message)
        self.over(leg, outcome)
        self._later(lambda: self._take(leg, outcome))

    def _take(self, leg: Leg, outcome: LegOutcome) -> None:
        if leg is self.leg:
            self.leg, self._outcome = None, outcome
