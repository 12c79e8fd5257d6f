"""What `ami demo --explore` shows of a robot in simulated time: the page on which its map grows, and a picture."""

from __future__ import annotations

import time

import numpy as np

from ami_ros.app.demo_view import DemoView, thinned
from ami_ros.app.scenery import RememberedPlaces
from ami_ros.app.telemetry import Leg, Observed
from ami_ros.evaluation.building_trials import Watcher
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.goals import SampledGoal
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array, transform_points
from ami_ros.images import encode_png
from ami_ros.parts.planner import Thought

SHOWN_EVERY = 0.2  # [s], steady: as often as the page asks
NOTED = 0.05  # [m] between two points of the way that is kept


class ExploreView(Watcher):
    """Follows the robot from where it is put to its last goal.

    Args:
        page: that shows it; None: nobody looks.

    Attributes:
        trials: the drives to goals that ended.
        explored: (n, 2) the way that it took while it explored, in the world [m].
    """

    def __init__(self, page: DemoView | None) -> None:
        self.trials: list[Trial] = []
        self.explored: Array = np.zeros((0, 2))
        self._page, self._observed = page, Observed()
        self._leg: Leg | None = None
        self._way: list[Array] = []
        self._shown = -SHOWN_EVERY
        self._loop: ClosedLoop | None = None

    def begin(self, loop: ClosedLoop) -> None:
        """See `Watcher`."""
        self._loop, loop.watch = loop, self._moment

    def set_out(self, index: int, goal: SampledGoal, allowance: float) -> None:
        """See `Watcher`."""
        assert self._loop is not None
        if not index:
            self.explored = thinned(np.array(self._way).reshape(-1, 2))
        simulator = self._loop.simulator
        sees = simulator.description.camera is not None
        picture = encode_png(simulator.photograph(goal.pose)) if sees else b""
        self._leg = Leg(index, goal, picture, simulator.time, allowance)

    def arrived(self, trial: Trial) -> None:
        """See `Watcher`."""
        self.trials.append(trial)
        self._leg = None

    def finish(self) -> None:
        """Nothing more will happen."""
        if self._page is not None and self._loop is not None:
            self._page.finished = True
            self._show(self._loop)

    @property
    def places(self) -> RememberedPlaces | None:
        """What the robot remembers, in the world; None: it does not know where it is."""
        frame = self._observed.frames.memory()
        if frame is None or self._loop is None:
            return None
        return RememberedPlaces(*(transform_points(frame, points) for points in _graph(self._loop)))

    def _moment(self, thought: Thought | None) -> None:
        """Notes what a control period brought, and shows it now and then."""
        assert self._loop is not None
        telemetry, simulator = self._observed.telemetry, self._loop.simulator
        truth = simulator.ground_truth()
        telemetry.time, telemetry.truth, telemetry.contacts = simulator.time, truth.pose, truth.contacts
        telemetry.command = truth.velocity
        if not self._way or np.hypot(*(truth.pose[:2] - self._way[-1])) > NOTED:
            self._way.append(truth.pose[:2])
        if thought is None:
            return
        self._note(thought)
        if self._page is not None and time.monotonic() > self._shown + SHOWN_EVERY:
            self._shown = time.monotonic()
            self._show(self._loop)

    def _note(self, thought: Thought) -> None:
        """What the robot perceived, believes and decided."""
        assert self._loop is not None
        telemetry, percept, decision = self._observed.telemetry, thought.percept, thought.decision
        truth = self._loop.truth_at(percept.stamp)
        self._observed.truth.append(percept.stamp, truth)
        location = percept.location
        telemetry.localised = location is not None and location.localised
        telemetry.believed = location.pose if location is not None and location.localised else None
        telemetry.confidence = None if location is None else location.confidence
        self._observed.frames.add(truth, percept.odometry, telemetry.believed)
        if percept.surprise is not None:
            telemetry.surprise, telemetry.alarm = _known(percept.surprise.z_score), percept.surprise.alarm
        if self._loop.seen is not None and self._loop.seen.image is not None:
            telemetry.image = self._loop.seen.image
            telemetry.images += 1
        if decision is not None:
            exploring = "" if self.trials or self._leg is not None else "exploring: "
            telemetry.state, telemetry.decision = decision.state.name, exploring + decision.message
            telemetry.energy, telemetry.distance = _known(decision.energy), _known(decision.distance)
            telemetry.subgoal = (decision.subgoal, decision.subgoals)
            telemetry.plan = decision.poses[:, :2]

    def _show(self, loop: ClosedLoop) -> None:
        assert self._page is not None
        self._observed.telemetry.places, self._observed.telemetry.edges = _graph(loop)
        self._page.update(self._leg, self._observed, self.trials)


def _graph(loop: ClosedLoop) -> tuple[Array, Array]:
    """Places (n, 2) and the ends of the ways between them (m, 2, 2), in the memory's frame [m]."""
    known = loop.memory.map
    poses, edges = known.index.poses[:, :2], known.graph.edges.columns
    ends = [poses[known.index.rows(edges[end])] for end in ("start", "stop")]
    return np.array(poses), np.stack(ends, axis=1)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
