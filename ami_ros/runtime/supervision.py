"""Which nodes of a stack live, what is to be done about one that does not, and whether the robot may move meanwhile.

Times are steady [s].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

GAP = 1.0  # [s] between two ticks after which it was this process, or the machine, that stood still
LOST_AFTER = (
    1.5  # [s] after which a node that still beats has not heard what it was asked for: a transition stops beats
)
JUDGED_AFTER = 0.5  # [s] that a node's own words about a failure may come after the answer that it failed


@dataclass(frozen=True)
class SupervisionConfig:
    """When a node counts as lost, and how often it is brought back."""

    silence_timeout: float = 10.0  # [s] without a sign of life after which a process is killed; larger: for slow disks
    start_timeout: float = 180.0  # [s] that a process may take to show itself, and a node to load its model
    max_restarts: int = 5  # of one node within `window`; after one more the robot waits until you start again
    window: float = 600.0  # [s] after which a loss is forgotten

    def __post_init__(self) -> None:
        for name in ("silence_timeout", "start_timeout", "max_restarts", "window"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0")


class Code(IntEnum):
    """How a stack is."""

    NONE = 0  # every node is active
    STARTING = 1
    RESTARTING = 2  # a node was lost
    NOT_ACTIVE = 3  # somebody else took a node down, and has to bring it back
    START_FAILED = 4  # for good
    RESTARTS_EXHAUSTED = 5  # for good


FINAL = Code.START_FAILED, Code.RESTARTS_EXHAUSTED


@dataclass(frozen=True)
class Beat:
    """A sign of life: lifecycle state, process, where that runs (see `heartbeat.here`), why a transition failed."""

    node: str
    state: str
    pid: int
    place: str = ""
    failure: str = ""
    stopped: bool = False  # an emergency stop holds there


@dataclass(frozen=True)
class Order:
    """What is to be done: `configure` or `activate` the node, or `kill` its process."""

    action: str
    node: str
    pid: int
    place: str


@dataclass(frozen=True)
class Verdict:
    """How the stack is, in a line."""

    code: Code
    message: str


class Ward:
    """One node as it is known."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.beat: Beat | None = None  # the newest; None: it is not there
        self.heard = now  # when that was; or since when it is missed
        self.risen = False  # it was active since its process began
        self.why = ""  # it was lost
        self.losses: list[float] = []  # when
        self.wait_until = -math.inf  # before it is started again
        self.asked: float | None = None  # when it was asked for the transition that is under way
        self.failed: float | None = None  # when that failed
        self.dead: tuple[int, str] | None = None  # process of which nothing counts any more
        self.stopped_by: tuple[int, str] | None = None  # process that said last that an emergency stop holds

    @property
    def active(self) -> bool:
        """It does its work."""
        return self.beat is not None and self.beat.state == "active"

    @property
    def forgot(self) -> bool:
        """Its process does not know of an emergency stop that its last one had, and that nobody released."""
        return self.stopped_by is not None and self.beat is not None and not self.beat.stopped


class Supervision:
    """Brings nodes up, in order, and back when they are lost.

    A node that somebody else deactivates is left alone. All are configured at once, which is where models are loaded;
    each is activated when those before it are active.

    Args:
        names: of the nodes, in the order in which to activate them.
        config: see there.
        now: when it begins.
    """

    def __init__(self, names: Sequence[str], config: SupervisionConfig, now: float) -> None:
        self.wards = {name: Ward(name, now) for name in names}
        self.config, self._ticked = config, now
        self._fault: Verdict | None = None

    def heard(self, beat: Beat, now: float) -> None:
        """A node gave a sign of life."""
        ward = self.wards.get(beat.node)
        if ward is None or ward.dead == (beat.pid, beat.place):
            return
        known = ward.beat
        if known is not None and (known.pid, known.place) != (beat.pid, beat.place):
            self._lose(ward, now, f"process {known.pid} is gone")
        ward.beat, ward.heard = beat, now
        if beat.stopped:
            ward.stopped_by = beat.pid, beat.place
        elif ward.stopped_by == (beat.pid, beat.place):  # it was released there
            ward.stopped_by = None
        ward.risen = ward.risen or ward.active
        if ward.active or (ward.asked is not None and now - ward.asked > LOST_AFTER):
            ward.asked = None

    def died(self, pid: int, place: str, now: float) -> None:
        """A process ended."""
        for ward in self.wards.values():
            if ward.beat is not None and (ward.beat.pid, ward.beat.place) == (pid, place):
                self._lose(ward, now, f"process {pid} ended")

    def answered(self, name: str, action: str, success: bool, now: float) -> None:
        """A node answered an order."""
        ward = self.wards[name]
        if ward.asked is None or ward.beat is None:
            return
        ward.asked, ward.heard = None, now
        if success:
            ward.beat = replace(ward.beat, state="inactive" if action == "configure" else "active")
            ward.risen = ward.active
        else:
            ward.failed = now

    def tick(self, now: float, reachable: Callable[[str], bool] = lambda name: True) -> list[Order]:
        """What is to be done; call it often.

        Args:
            now: steady time [s].
            reachable: whether a node can be asked for a transition yet.
        """
        if now - self._ticked > GAP:
            for ward in self.wards.values():
                ward.heard += now - self._ticked
        self._ticked = now
        orders: list[Order] = []
        for ward in self.wards.values():
            if self._fault is None and (order := self._order(ward, now, reachable)) is not None:
                orders.append(order)
        return orders

    def verdict(self) -> Verdict:
        """How the stack is now; the robot may move if the code is NONE."""
        if self._fault is not None:
            return self._fault
        absent = [ward for ward in self.wards.values() if not ward.active]
        forgetful = next((ward.name for ward in self.wards.values() if ward.forgot), "")
        if not absent and forgetful:
            return Verdict(Code.RESTARTING, f"{forgetful} is told of the emergency stop from before it was lost")
        if not absent:
            return Verdict(Code.NONE, f"all {len(self.wards)} nodes are active")
        for ward in absent:
            if ward.losses and not ward.risen:
                return Verdict(Code.RESTARTING, f"{ward.name} is started again, {self._count(ward)}: {ward.why}")
        for ward in absent:
            if ward.risen and ward.beat is not None:
                text = f"{ward.name} is {ward.beat.state}, by somebody else's will; activate it to go on"
                return Verdict(Code.NOT_ACTIVE, text)
        return Verdict(Code.STARTING, "starting: " + ", ".join(ward.name for ward in absent))

    def silent_for(self, name: str, now: float) -> float:
        """For how long [s] a node is not heard that was active; infinite where it is gone, 0 where it never was."""
        ward = self.wards[name]
        if ward.beat is None or not ward.risen:
            return math.inf if ward.losses else 0.0
        return 0.0 if ward.asked is not None else now - ward.heard

    def _order(self, ward: Ward, now: float, reachable: Callable[[str], bool]) -> Order | None:
        beat, config = ward.beat, self.config
        if beat is None:
            if now - ward.heard > config.start_timeout:
                self._give_up(Code.START_FAILED, f"{ward.name} gives no sign of life for {config.start_timeout:g} s")
            return None
        if ward.failed is not None:
            self._judge(ward, beat, now)
        elif now - (ward.heard if ward.asked is None else ward.asked) > (
            config.silence_timeout if ward.asked is None else config.start_timeout
        ):
            self._lose(ward, now, f"process {beat.pid} hangs: no sign of life for {config.silence_timeout:g} s")
            return Order("kill", ward.name, beat.pid, beat.place)
        elif ward.asked is None and not ward.risen and now >= ward.wait_until:
            action = {"unconfigured": "configure", "inactive": "activate"}.get(beat.state)
            names = list(self.wards)
            before = names[: names.index(ward.name)]
            due = action == "configure" or all(self.wards[name].active for name in before)
            if action is not None and due and reachable(ward.name):
                ward.asked = now
                return Order(action, ward.name, beat.pid, beat.place)
        return None

    def _judge(self, ward: Ward, beat: Beat, now: float) -> None:
        """A transition failed: at the first start that is a mistake in the set-up, later one more loss."""
        assert ward.failed is not None
        if now - ward.failed < JUDGED_AFTER:
            return
        ward.failed = None
        if not beat.failure:  # refused: somebody else was faster
            return
        if not ward.losses:
            self._give_up(Code.START_FAILED, f"{ward.name} could not start: {beat.failure}")
            return
        self._lose(ward, now, beat.failure)
        ward.beat, ward.dead = beat, None  # its process lives, and may try again

    def _lose(self, ward: Ward, now: float, why: str) -> None:
        assert ward.beat is not None
        config = self.config
        ward.dead = ward.beat.pid, ward.beat.place
        ward.beat, ward.heard, ward.why, ward.risen, ward.asked, ward.failed = None, now, why, False, None, None
        ward.losses = [*(t for t in ward.losses if t > now - config.window), now]
        ward.wait_until = now + backoff(len(ward.losses))
        if len(ward.losses) > config.max_restarts:
            self._give_up(Code.RESTARTS_EXHAUSTED, f"{ward.name} was lost too often, {self._count(ward)}: {why}")

    def _count(self, ward: Ward) -> str:
        return f"{len(ward.losses)} of {self.config.max_restarts} times in {self.config.window:g} s"

    def _give_up(self, code: Code, message: str) -> None:
        self._fault = Verdict(code, message)


def backoff(losses: int) -> float:
    """Pause [s] before a node is started again that was lost `losses` times: 0, 0.5, 1, 2, 4, 8 and no more."""
    return 0.0 if losses < 2 else min(8.0, 0.5 * 2.0 ** (losses - 2))
