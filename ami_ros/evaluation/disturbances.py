"""Drives on which something goes wrong: the robot is carried away, its camera covered, or its wheels slip."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.geometry import Array
from ami_ros.planning.situations import Situation
from ami_ros.planning.types import Decision
from ami_ros.simulation.robot import Observation

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
        self.passed: list[tuple[float, Situation, str]] = []  # [s] since, the situation, and its reason

    @property
    def situations(self) -> list[Situation]:
        """The situations that were passed, in their order."""
        return [situation for _, situation, _ in self.passed]

    def decide(self, percept: Any) -> Decision:
        """Notes the situation, too."""
        decision = super().decide(percept)
        machine = self.navigator.situations
        if not self.passed or self.passed[-1][1] is not machine.now:
            self.passed.append((percept.stamp - self.began, machine.now, machine.reason))
        return decision

    def observe(self) -> Observation:
        """A covered camera sees nothing but black."""
        seen = super().observe()
        if self._under_way("camera_covered") and seen.image is not None:
            return replace(seen, image=np.zeros_like(seen.image))
        return seen

    def execute(self, decision: Decision) -> None:
        """Carries the robot away; where its wheels slip, it is where it was before though odometry went on."""
        what = self.disturbance
        if what.kind == "carried_away" and self._under_way("carried_away") and what.pose is not None:
            self.simulator.place(what.pose)
            self.disturbance = replace(what, kind="nothing")
        before = self.simulator.ground_truth().pose
        super().execute(decision)
        if self._under_way("wheels_slip"):
            self.simulator.place(before)

    def _under_way(self, kind: Kind) -> bool:
        since = self.simulator.time - self.began - self.disturbance.begin
        return self.disturbance.kind == kind and 0.0 <= since < self.disturbance.seconds
