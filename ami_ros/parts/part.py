"""What a part is, and what it needs from outside: its bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from ami_ros.errors import AmiError
from ami_ros.parts.ports import Port, Question

Finish = Callable[[], None]
Job = Callable[[], Finish | None]  # heavy; what it returns is done when the work is over: give, follow, tell
Answered = Callable[[Any], None]  # gets an answer, or an AmiError


class Timer(Protocol):
    """Calls something again and again."""

    def reset(self) -> None:
        """The next call is a period from now."""
        ...

    def set_period(self, seconds: float) -> None:
        """From the next call on."""
        ...


class Bus(Protocol):
    """All that one part has of the world around it. Any thread may call it."""

    def now(self) -> float:
        """The robot's clock [s]; stamps are of it."""
        ...

    def steady(self) -> float:
        """Time that nobody sets [s]."""
        ...

    def give(self, port: Port, stamp: float, value: Any) -> None:
        """Sends a value of `stamp` [s] to all who take it."""
        ...

    def work(self, job: Job) -> None:
        """Leaves a job to the part's one worker, in place of one that has not begun. What it raises goes to
        `Part.failed`."""
        ...

    def forget_work(self) -> None:
        """Takes back the job that has not begun."""
        ...

    def busy_for(self) -> float:
        """Steady time [s] for which the worker has been at its job; 0: idle."""
        ...

    def soon(self, call: Callable[[], None]) -> None:
        """Calls it on the thread that the handlers run on."""
        ...

    def every(self, period: float, call: Callable[[], None], steady: bool = False) -> Timer:
        """Calls it every `period` [s] of the robot's clock, or of steady time."""
        ...

    def ask(self, question: Question, request: Any, answered: Answered) -> bool:
        """Asks whoever answers that; False if nobody is there (yet)."""
        ...

    def report(self, kind: str, text: str, severe: bool = False) -> None:
        """Tells people that something is wrong."""
        ...

    def say(self, text: str) -> None:
        """Tells people what is worth knowing."""
        ...


class Part:
    """A part of the robot's mind.

    Derived classes have a method `on_NAME(stamp, value)` for each port that they take; "/" and "~" in names are "_".
    Handlers are quick; an AmiError that they raise drops the message, and is reported.

    Args:
        bus: see there.
    """

    name: ClassVar[str] = ""
    works: ClassVar[bool] = True  # it may leave jobs to a worker
    takes: tuple[Port, ...] = ()
    gives: tuple[Port, ...] = ()
    answers: ClassVar[tuple[Question, ...]] = ()
    asks: ClassVar[tuple[Question, ...]] = ()

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def handler(self, port: Port) -> Callable[[float, Any], None]:
        """What handles the values of a port: takes their stamp [s] and them."""
        found: Callable[[float, Any], None] = getattr(self, f"on_{port.name.replace('/', '_')}")
        return found

    def answer(self, question: Question, request: Any) -> Any:
        """The answer to a question. Raises AmiError where there is none."""
        return getattr(self, question.name)(request)

    def effort(self, question: Question, request: Any) -> str:
        """Which of `Timing` it takes to answer."""
        return question.name

    def working(self) -> tuple[str, ...]:
        """Which of `Timing` the job takes that begins now."""
        return (self.name,)

    def between(self) -> bool:
        """A short piece of work for the worker while no job waits; False: there is none until after the next job."""
        return False

    def restart(self) -> None:
        """Time was turned back, or the robot was switched on: what is buffered belongs to another time."""

    def failed(self, error: Exception) -> None:
        """A job raised something."""
        text = str(error) if isinstance(error, AmiError) else f"{type(error).__name__}: {error}"
        self.bus.report("model", f"{self.name} failed: {text}", severe=True)
