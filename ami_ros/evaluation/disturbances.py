"""Drives on which something goes wrong: the robot is carried away, its camera covered, or its wheels slip."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ami_ros.commands import Command
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.geometry import Array
from ami_ros.mission.recovery import RecoveryState
from ami_ros.parts.planner import Thought
from ami_ros.simulation.robot import Observation

SET_BACK = 0.2  # [s] between two times that slipping wheels have brought the robot nowhere

Kind = Literal["nothing", "carried_away", "camera_covered", "wheels_slip"]


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong, and when.

    Attributes:
        kind: what.
        begin: simulated [s] after the goal was given.
        seconds: for how long; being carried away takes no time.
        pose: (3,) in the world's frame, where the robot is put that is carried away.
    """

    kind: Kind
    begin: float = 5.0
    seconds: float = 4.0
    pose: Array | None = field(default=None, compare=False)


class DisturbedLoop(ClosedLoop):
    """A closed loop that is disturbed during one drive; `passed` tells what the robot made of it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.disturb(Disturbance("nothing"))

    def disturb(self, disturbance: Disturbance) -> None:
        """What will go wrong, counted from now."""
        self.disturbance = disturbance
        self.began = self.simulator.time
        self.passed: list[tuple[float, RecoveryState, str]] = []  # [s] since, the state, and its reason
        self._stuck_at: Array | None = None

    @property
    def states(self) -> list[RecoveryState]:
        """The states that were passed, in their order."""
        return [state for _, state, _ in self.passed]

    def tick(self) -> Thought | None:
        """Notes the state, too."""
        thought = super().tick()
        if thought is not None and thought.decision is not None:
            machine = self.planner.navigator.recovery
            if not self.passed or self.passed[-1][1] is not machine.now:
                self.passed.append((thought.percept.stamp - self.began, machine.now, machine.reason))
        return thought

    def observe(self) -> Observation:
        """A covered camera sees nothing but black."""
        seen = super().observe()
        if self._under_way("camera_covered") and seen.image is not None:
            return replace(seen, image=np.zeros_like(seen.image))
        return seen

    def move(self, command: Command) -> None:
        """Carries the robot away; where its wheels slip, it is set back again and again though odometry goes on."""
        what, now = self.disturbance, self.simulator.time
        if what.kind == "carried_away" and self._under_way("carried_away") and what.pose is not None:
            self.simulator.place(what.pose)
            self.disturbance = replace(what, kind="nothing")
        if not self._under_way("wheels_slip"):
            self._stuck_at = None
        elif self._stuck_at is None:
            self._stuck_at, self._set_back = self.simulator.ground_truth().pose, now
        elif now - self._set_back > SET_BACK - 1e-6:
            self.simulator.place(self._stuck_at)
            self._set_back = now
        super().move(command)

    def _under_way(self, kind: Kind) -> bool:
        since = self.simulator.time - self.began - self.disturbance.begin
        return self.disturbance.kind == kind and 0.0 <= since < self.disturbance.seconds
