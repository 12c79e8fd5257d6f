"""Feeds the console from a demo: how it goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from ami_ros.app.scenery import Backdrop
from ami_ros.app.telemetry import Leg, Observed
from ami_ros.app.truth_layer import TruthLayer
from ami_ros.console.scene import Scene, rounded
from ami_ros.evaluation.report import success_rates
from ami_ros.evaluation.trials import Trial


class DemoView:
    """What the page shows beside what the robot knows.

    Args:
        scene: of the console.
        backdrop: the world from above.
        about: `world`, `robot`, `seed` and `total` (goals).

    Attributes:
        finished: nothing more will happen.
    """

    def __init__(self, scene: Scene, backdrop: Backdrop, about: dict[str, Any]) -> None:
        self.finished = False
        self._scene, self._about = scene, about
        self._truth = TruthLayer(scene, backdrop)
        self._pace: deque[tuple[float, float]] = deque(maxlen=25)  # steady and simulated time [s]

    def update(self, leg: Leg | None, seen: Observed, trials: Sequence[Trial]) -> None:
        """Shows a moment: the drive under way, what is known of robot and stack, and the drives that ended."""
        telemetry = seen.telemetry
        self._truth.update(seen.frames, telemetry.truth)
        self._pace.append((time.monotonic(), telemetry.time))
        rates = success_rates(trials)
        self._scene.demo = self._about | {
            "near": {"reached": rates["near"].reached, "n": rates["near"].n},
            "far": {"reached": rates["far"].reached, "n": rates["far"].n},
            "goal": None if leg is None else leg.index,
            "contacts": telemetry.contacts, "pace": self._real_time_factor(),
            "finished": self.finished,
            "trials": [
                {"kind": t.kind, "success": bool(t.success), "time": rounded(t.time_s), "words": t.error_msg}
                for t in trials
            ],
        }  # fmt: skip

    def _real_time_factor(self) -> float | None:
        """Simulated seconds in a second, over the last few."""
        (steady, simulated), (steady_now, simulated_now) = self._pace[0], self._pace[-1]
        if steady_now - steady < 0.5 or simulated_now < simulated:
            return None
        return round((simulated_now - simulated) / (steady_now - steady), 2)
