"""What `ami demo` does on its page, and what only the simulator knows: the true floor plan, and where the robot is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.context import Context
from rich.console import Console

from ami_ros.bench.demo.client import Frames, Leg, Observed
from ami_ros.bench.demo.run import DemoRun
from ami_ros.bench.demo.stack import DemoSettings
from ami_ros.bench.report import success_rates
from ami_ros.bench.trials import Trial
from ami_ros.cli.options import DemoOptions
from ami_ros.console.scene import Scene, data_url, rounded
from ami_ros.core.geometry import Array, compose, inverse
from ami_ros.core.images import encode_png

if TYPE_CHECKING:
    from ami_ros.simulation.mjcf import TopView


class TruthLayer:
    """What a simulated robot does not know, in a scene: the floor from above, and where it truly is.

    Args:
        scene: of the console.
        floor: the world from above.
        off: the page shows it only when it is asked to.
    """

    def __init__(self, scene: Scene, floor: TopView, off: bool = False) -> None:
        self._scene = scene
        self._floor = {"src": data_url(encode_png(floor.image)), "extent": list(floor.extent), "off": off}
        self._updates = 0
        self._frame: Array | None = None  # the memory's, in the world

    def update(self, frames: Frames, truth: Array | None) -> None:
        """A moment: where the robot's frames are in the world, and its true pose (3,) there."""
        frame, known = frames.memory() if self._updates % 25 == 0 else None, self._frame
        # A frame that has moved by less than 4 cm and 0.04 rad is not sent anew.
        if frame is not None and (known is None or np.abs(frame - known).max() > 0.04):
            self._frame = frame
            self._scene.documents.put("truth", self._floor | {"frame": rounded(inverse(frame))})
        self._updates += 1
        if self._frame is not None and truth is not None:
            self._scene.truth = compose(inverse(self._frame), truth)


def demo(asked: DemoOptions) -> int:
    """`ami demo`; returns the exit code. Raises AmiError as `DemoSettings.make` and `DemoRun.run`."""
    return DemoRun(DemoSettings.make(**vars(asked)), Console(emoji=False), serve_demo).run()


def serve_demo(
    context: Context, settings: DemoSettings, floor: TopView, say: Callable[[str], None], stack: ExitStack
) -> DemoPage:
    """Starts the console of a demo, which `stack` ends, and says where it is."""
    from ami_ros.console.node import ConsoleSettings, RobotConsole  # of an extra

    page = stack.enter_context(RobotConsole(context, ConsoleSettings(port=settings.port, bags=None), say))
    say("look, " + page.addresses[0])
    about = {"world": settings.world.name, "robot": settings.robot.name, "seed": settings.seed}
    return DemoPage(page.scene, floor, about | {"total": settings.goals})


class DemoPage:
    """What the page of a demo shows beside what the robot knows.

    Args:
        scene: of the console.
        floor: the world from above.
        about: `world`, `robot`, `seed` and `total` (goals).
    """

    def __init__(self, scene: Scene, floor: TopView, about: dict[str, Any]) -> None:
        self._scene, self._about = scene, about
        self._truth = TruthLayer(scene, floor)
        self._pace: deque[tuple[float, float]] = deque(maxlen=25)  # steady and simulated time [s]

    def update(self, leg: Leg | None, seen: Observed, trials: Sequence[Trial], finished: bool) -> None:
        """Shows a moment: the drive under way, what is known of robot and stack, and the drives that ended; whether
        nothing more will happen."""
        telemetry = seen.telemetry
        self._truth.update(seen.frames, telemetry.truth)
        self._pace.append((time.monotonic(), telemetry.time))
        (steady, simulated), (steady_now, simulated_now) = self._pace[0], self._pace[-1]
        rates, told = success_rates(trials), steady_now - steady >= 0.5 and simulated_now >= simulated
        self._scene.demo = self._about | {
            kind: {"reached": rates[kind].reached, "n": rates[kind].n} for kind in ("near", "far")
        } | {
            "goal": None if leg is None else leg.index, "contacts": telemetry.contacts, "finished": finished,
            "pace": round((simulated_now - simulated) / (steady_now - steady), 2) if told else None,
            "trials": [
                {"kind": t.kind, "success": bool(t.success), "time": rounded(t.time_s), "words": t.error_msg}
                for t in trials
            ],
        }  # fmt: skip
