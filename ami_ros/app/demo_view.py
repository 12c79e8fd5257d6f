"""Feeds the web view from the demo's telemetry."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from ami_ros.app.scenery import Backdrop
from ami_ros.app.telemetry import Leg, Observed, Telemetry
from ami_ros.app.web_view import WebView
from ami_ros.evaluation.report import success_rates
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array, compose, transform_points
from ami_ros.images import encode_png

STRIP = 300  # samples kept for a page that is loaded late
TRACK_STEP = 0.04  # between two points of a drawn path [m]
SCENE_EVERY = 25  # updates after which places are drawn anew


class DemoView:
    """What the page shows, from plain values.

    Args:
        view: the server.
        backdrop: the world from above.
        about: `world`, `robot`, `seed` and `total` (goals).

    Attributes:
        memory: the planner may use what is remembered.
        finished: nothing more will happen.
    """

    def __init__(self, view: WebView, backdrop: Backdrop, about: dict[str, Any]) -> None:
        self.memory, self.finished = True, False
        self._view = view
        self._backdrop = backdrop
        self._about = about
        self._strip: deque[dict[str, Any]] = deque(maxlen=STRIP)
        self._pace: deque[tuple[float, float]] = deque(maxlen=25)  # steady and simulated time [s]
        self._updates = self._version = self._images = 0
        self._leg: Leg | None = None
        self._frame: Array | None = None  # the memory's, in the world
        view.put("map", "image/png", encode_png(backdrop.image))

    def update(self, leg: Leg | None, seen: Observed, trials: Sequence[Trial]) -> None:
        """Shows a moment: the drive under way, what is known of robot and stack, and the drives that ended."""
        telemetry, frames = seen.telemetry, seen.frames
        if self._updates % SCENE_EVERY == 0 or leg is not self._leg or self.finished:
            self._frame = frames.memory()
            self._put_scene(telemetry, trials)
        if leg is not None and leg is not self._leg and leg.picture:
            self._view.put("goal", "image/png", leg.picture)
        if telemetry.image is not None and telemetry.images != self._images:
            self._images = telemetry.images
            self._view.put("camera", "image/png", encode_png(telemetry.image))
        self._leg = leg
        self._updates += 1
        self._pace.append((time.monotonic(), telemetry.time))
        self._strip.append({"t": telemetry.time, "energy": telemetry.energy, "surprise": telemetry.surprise})
        self._view.put_json("state", self._state(leg, seen, trials))

    def _put_scene(self, telemetry: Telemetry, trials: Sequence[Trial]) -> None:
        self._version += 1
        frame = self._frame
        self._view.put_json(
            "scene",
            {
                "version": self._version,
                "extent": self._backdrop.extent,
                "robot_radius": self._backdrop.robot_radius,
                "places": _points(transform_points(frame, telemetry.places)) if frame is not None else [],
                "edges": _points(transform_points(frame, telemetry.edges)) if frame is not None else [],
                "trials": [trial.to_json() | {"path": _points(thinned(trial.path))} for trial in trials],
                "history": list(self._strip),
            },
        )

    def _state(self, leg: Leg | None, seen: Observed, trials: Sequence[Trial]) -> dict[str, Any]:
        telemetry, truth, frames = seen.telemetry, seen.truth, seen.frames
        rates = success_rates(trials)
        goal = None
        if leg is not None:
            goal = {
                "index": leg.index,
                "kind": leg.goal.kind,
                "pose": _points(leg.goal.pose),
                "elapsed": round(max(telemetry.time - leg.began, 0.0), 1),
                "allowance": leg.allowance,
            }
        age = telemetry.observation_age
        return self._about | {
            "scene_version": self._version,
            "t": telemetry.time,
            "real_time_factor": self._real_time_factor(),
            "goal": goal,
            "near": {"reached": rates["near"].reached, "n": rates["near"].n},
            "far": {"reached": rates["far"].reached, "n": rates["far"].n},
            "robot": _points(telemetry.truth),
            "believed": _points(self._believed(telemetry)),
            "confidence": telemetry.confidence,
            "state": telemetry.state,
            "energy": telemetry.energy,
            "distance": telemetry.distance,
            "subgoal": telemetry.subgoal,
            "rate": telemetry.rate,
            "age_ms": None if age is None else round(1000 * age, 1),
            "surprise": telemetry.surprise,
            "surprise_threshold": telemetry.surprise_threshold,
            "alarm": telemetry.alarm,
            "decision": telemetry.decision,
            "command": telemetry.command,
            "contacts": telemetry.contacts,
            "camera_version": self._images,
            "track": _points(thinned(truth.since(leg.began)[1][:, :2])) if leg else [],
            "memory": self.memory,
            "finished": self.finished,
            "plan": _points(transform_points(frames.odom, telemetry.plan)) if frames.odom is not None else [],
        }

    def _real_time_factor(self) -> float | None:
        """Simulated seconds in a second, over the last few."""
        (steady, simulated), (steady_now, simulated_now) = self._pace[0], self._pace[-1]
        if steady_now - steady < 0.5 or simulated_now < simulated:
            return None
        return round((simulated_now - simulated) / (steady_now - steady), 2)

    def _believed(self, telemetry: Telemetry) -> Array | None:
        if self._frame is None or telemetry.believed is None:
            return None
        return compose(self._frame, telemetry.believed)


def thinned(path: Array, step: float = TRACK_STEP) -> Array:
    """A path (n, 2) with its points at least `step` [m] apart, first and last kept."""
    if len(path) < 3:
        return path
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    keep = np.unique(np.searchsorted(along, np.arange(0.0, along[-1], step)))
    return path[np.unique([0, *keep, len(path) - 1])]


def _points(values: Array | None) -> Any:
    """To JSON, in centimetres' precision."""
    return None if values is None else np.round(values, 3).tolist()
