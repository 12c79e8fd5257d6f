"""Questions to memory for routes, asked without waiting for the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ami_ros.errors import AmiError
from ami_ros.places.types import Route
from ami_ros.planning.types import RouteRequest

if TYPE_CHECKING:  # the planner's process asks another one, and does without what memory needs
    from ami_ros.slam.place_memory import PlaceMemory


class Routes(Protocol):
    """Asks some questions at a time."""

    @property
    def pending(self) -> bool:
        """Something was asked, and `poll` has not yet given the answers."""
        ...

    def ask(self, requests: Sequence[RouteRequest], encoder_id: str) -> None:
        """Asks in place of what was asked before; `encoder_id` is of latents in questions and answers."""
        ...

    def poll(self) -> list[Route | AmiError] | None:
        """All answers in the order of the requests, once; None while some may come, or nothing was asked."""
        ...

    def forget(self) -> None:
        """Drops the question; its answers are ignored."""
        ...


class LocalRoutes:
    """`Routes` that are found in this process, and given when they are next polled.

    Args:
        find: the route of a request, or AmiError.
    """

    def __init__(self, find: Callable[[RouteRequest], Route]) -> None:
        self._find = find
        self._answers: list[Route | AmiError] | None = None

    @property
    def pending(self) -> bool:
        """See `Routes`."""
        return self._answers is not None

    def ask(self, requests: Sequence[RouteRequest], encoder_id: str) -> None:
        """See `Routes`."""
        self._answers = [self._found(request) for request in requests]

    def poll(self) -> list[Route | AmiError] | None:
        """See `Routes`."""
        answers, self._answers = self._answers, None
        return answers

    def forget(self) -> None:
        """See `Routes`."""
        self._answers = None

    def _found(self, request: RouteRequest) -> Route | AmiError:
        try:
            return self._find(request)
        except AmiError as error:
            return error


def routes_of(memory: PlaceMemory) -> LocalRoutes:
    """The routes of a memory in the same process."""
    return LocalRoutes(lambda asked: memory.find_route(asked.goal, asked.hypothesis, asked.avoid_edges))
