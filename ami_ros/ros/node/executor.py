"""An executor that costs half of rclpy's own: what is waited for is gathered when it changes, not for each message.

rclpy builds a wait set of all entities of its nodes anew for each callback, and wakes itself twice after each; at a
robot's rates that takes a tenth of a core for each node, and in a process of several the interpreter's lock with it.
Here callbacks are called, and become a `Task` only if they are coroutines; and what rclpy hears of qualities of
service that do not fit, two waitables for each topic, is looked at now and then.
Its EventsExecutor (7.1.5) stands still for ever when a node hears what its own process publishes.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

from rclpy.context import Context
from rclpy.event_handler import EventHandler
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.subscription import Subscription
from rclpy.task import Task

KINDS = "subscription", "guard_condition", "timer", "client", "service"  # as rcl counts them
ORDER = "timer", "subscription", "guard_condition", "client", "service"  # of those that are ready together, as in rclpy


class LeanExecutor(SingleThreadedExecutor):
    """Runs callbacks one after the other on the thread that calls `spin`, so callback groups have nothing to say.

    Everything else is as in `SingleThreadedExecutor`: subscriptions of a node are served in the order in which they
    were made, one message each in turn.

    Attributes:
        failed: given what a callback, or taking a message, raised; as it comes that comes out of `spin`.
        rest: [s] after each turn, for what comes meanwhile to be served in one; a topic has to be slower than that.
    """

    _tasks: list[tuple[Task, Any, Any]]  # rclpy's, of which the first counts

    def __init__(self, *, context: Context | None = None) -> None:
        super().__init__(context=context)
        self.failed: Callable[[Exception], None] = _raise
        self.rest = 0.0
        self._events_at = 0.0  # steady time
        self._takers: dict[str, Callable[[Any], Callable[[], Any] | None]] = {
            "subscription": self._take_message,
            "guard_condition": self._take_guard_condition,
            "timer": self._take_tick,
            "client": self._take_client,
            "service": self._take_service,
        }

    def spin(self) -> None:
        """Returns after `shutdown`, or when the context was shut down."""
        with ExitStack() as held:
            changed = True
            while self._context.ok() and not self._is_shutdown:
                if changed:
                    held.close()
                    self._gather(held)
                self._run_tasks()
                changed = self._serve()
                if self.rest:
                    time.sleep(self.rest)

    def _gather(self, held: ExitStack) -> None:
        """What there is to wait for; it stays alive while `held` is open."""
        nodes = self.get_nodes()
        found: dict[str, Iterable[Any]] = {
            "subscription": [entity for node in nodes for entity in node.subscriptions],
            "guard_condition": [*(entity for node in nodes for entity in node.guards), self._guard, self._sigint_gc],
            "timer": [entity for node in nodes for entity in node.timers],
            "client": [entity for node in nodes for entity in node.clients],
            "service": [entity for node in nodes for entity in node.services],
        }
        held.enter_context(self._context.handle)
        self._entities = {kind: dict(_alive(found[kind], held)) for kind in KINDS}
        self._waitables = [w for node in nodes for w in node.waitables if _enter(w, held)]
        self._others = [w for w in self._waitables if not isinstance(w, EventHandler)]
        counts = [len(self._entities[kind]) for kind in KINDS]
        events = 0
        for waitable in self._waitables:
            more = waitable.get_num_entities()
            inside = more.num_subscriptions, more.num_guard_conditions, more.num_timers, more.num_clients
            counts = [n + m for n, m in zip(counts, (*inside, more.num_services), strict=True)]
            events += more.num_events
        self._set = rclpy_implementation.WaitSet(*counts, events, self._context.handle)
        held.enter_context(self._set)
        adds = {kind: getattr(self._set, f"add_{kind}") for kind in KINDS}
        self._add = [partial(adds[kind], entity.handle) for kind in KINDS for entity in self._entities[kind].values()]

    def _serve(self) -> bool:
        """Waits, and runs what is ready; True if from now on there may be other entities to wait for."""
        wait_set, entities = self._set, self._entities
        wait_set.clear_entities()
        waitables = self._others
        if (now := time.monotonic()) > self._events_at:
            waitables, self._events_at = self._waitables, now + 0.5  # [s] to the next look at them
        try:
            for add in self._add:
                add()
            for waitable in waitables:
                waitable.add_to_wait_set(wait_set)
        except rclpy_implementation.InvalidHandle:  # a task has destroyed it
            return True
        if self._is_shutdown or not self._add:  # while entities were gathered: an empty set cannot be waited for
            return True
        wait_set.wait(-1)  # for ever
        if self._is_shutdown or not self._context.ok():
            return True
        ready = [(kind, entities[kind][pointer]) for kind in ORDER for pointer in self._ready(kind)]
        changed = False
        for waitable in [waitable for waitable in waitables if waitable.is_ready(wait_set)]:
            self._run(self._take_waitable, waitable)
        for kind, entity in ready:
            if entity is self._guard:
                changed = True
            elif entity is not self._sigint_gc and (kind != "timer" or _is_due(entity)):
                self._run(self._takers[kind], entity)
        return changed

    def _ready(self, kind: str) -> list[int]:
        """Of our own entities, in the order in which they were made; those of waitables are none of them."""
        found = self._set.get_ready_entities(kind)
        if len(found) < 2:
            return [pointer for pointer in found if pointer in self._entities[kind]]
        among = set(found)
        return [pointer for pointer in self._entities[kind] if pointer in among]

    def _run(self, take: Callable[[Any], Callable[[], Any] | None], entity: Any) -> None:
        """Calls what `take` gives; a coroutine that has not ended goes on in later turns."""
        try:
            work = take(entity)
        except Exception as error:
            self.failed(error)
            time.sleep(0.01)  # what could not even be taken, such as a message that is none, may be there again
            return
        if work is None or self._is_shutdown:
            return
        try:
            result = work()
        except Exception as error:
            self.failed(error)
            return
        if inspect.iscoroutine(result):
            task = Task(result, executor=self)
            self._continue(task)
            if not task.done():
                with self._tasks_lock:
                    self._tasks.append((task, None, None))

    def _take_message(self, subscription: Any) -> Callable[[], Any] | None:
        try:
            with subscription.handle:
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        except rclpy_implementation.InvalidHandle:  # destroyed meanwhile
            return None
        if taken is None:
            return None
        alone = subscription._callback_type is Subscription.CallbackType.MessageOnly
        return partial(subscription.callback, *(taken[:1] if alone else taken))

    def _take_tick(self, timer: Any) -> Callable[[], Any] | None:
        try:
            with timer.handle:
                timer.handle.call_timer()
        except rclpy_implementation.InvalidHandle:  # destroyed meanwhile
            return None
        return cast(Callable[[], Any], timer.callback)

    def _run_tasks(self) -> None:
        """A turn for each coroutine that has not ended, and for what `create_task` was given."""
        with self._tasks_lock:
            tasks = [task for task, _, _ in self._tasks]
        for task in tasks:
            self._continue(task)
        if tasks:
            with self._tasks_lock:
                self._tasks = [entry for entry in self._tasks if not (entry[0].done() or entry[0].cancelled())]

    def _continue(self, task: Task) -> None:
        task()
        if task.done() and isinstance(error := task.exception(), Exception):
            self.failed(error)


def _is_due(timer: Any) -> bool:
    """Whether a timer's time has come; that of one that was destroyed meanwhile never does."""
    try:
        return bool(timer.handle.is_timer_ready())
    except rclpy_implementation.InvalidHandle:
        return False


def _raise(error: Exception) -> None:
    raise error


def _alive(entities: Iterable[Any], held: ExitStack) -> Iterable[tuple[int, Any]]:
    """By the pointer that rcl reports; what is destroyed meanwhile is left out."""
    for entity in entities:
        if entity is not None and _enter(entity.handle, held):  # None: `shutdown` was called meanwhile
            yield entity.handle.pointer, entity


def _enter(handle: Any, held: ExitStack) -> bool:
    try:
        held.enter_context(handle)
    except rclpy_implementation.InvalidHandle:
        return False
    return True
