"""How well the memory finds its way back in logs of real lasers: its map is made anew with worse odometry.

The log's corrected poses are the truth. Their steps, made worse by a stated and seeded drift, are the odometry; beside
it the memory has the scans and nothing else. Of open ground and halls there are few public logs, so they are drawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.bench.report import SuccessRate
from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.core.robots.description import load_robot
from ami_ros.memory.front_end import FrontEndConfig
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.loop_closure import LoopClosureConfig
from ami_ros.memory.loop_hypotheses import HypothesisConfig
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import Location
from ami_ros.simulation.exploration import PERIOD
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.routes import RouteDriver, Routes
from ami_ros.simulation.yards import draw_yard
from ami_ros.world_model.learning.carmen import CarmenLog, LaserRow
from ami_ros.world_model.learning.scan_training import Laser

SPACING = 1.0  # [m] between the poses at which memory is asked, and within which an earlier one makes a revisit
LOOP = 10.0  # [m] driven since the earlier one, at least
WRONG = (0.5, 0.2)  # [m], [rad] off the truth from which a constraint is false
YARD_WAY, YARD_STEP = 640.0, 0.87  # [m] of a drive over drawn open ground, and between its scans
YARD_LASER = Laser(360, np.pi, 80.0, 0.015)  # a SICK LMS 291
OPPOSITE = 2.0  # [rad] between headings from which a revisit is in the opposite direction


def laser_config(learned: bool = True) -> MemoryConfig:
    """A memory of a laser alone: places less than a metre apart; a turn on the spot makes no other place.

    Args:
        learned: what compares fits: a network, or the share of points that agree, which wants more votes.
    """
    loop_closure = (
        LoopClosureConfig() if learned else LoopClosureConfig(learned=False, hypotheses=HypothesisConfig(votes=4.0))
    )
    return MemoryConfig(spacing=0.8, turn_spacing=7.0, front_end=FrontEndConfig(loop_closure=loop_closure))


@dataclass(frozen=True)
class LogFigures:
    """What came of one log."""

    name: str
    scans: int
    skipped_lines: int
    driven_m: float
    places: int
    file_bytes_per_place: float
    constraints: SuccessRate  # of those made, the true ones
    revisits: SuccessRate  # of those driven, the ones that a true constraint tells
    opposite: SuccessRate  # the same of those in the opposite direction
    odometry_ate_m: float  # root mean square error after alignment: of odometry, ...
    map_ate_m: float  # ... and of the places in the map
    map_ate_max_m: float
    losses: int  # how often the robot got lost ...
    lost: int  # ... and after how many scans it was
    ms_p50: float  # of a scan
    ms_p95: float
    ms_max: float

    def to_row(self) -> dict[str, object]:
        """Plain values; rates as counts."""
        counts = {
            "constraints": self.constraints.n, "false_constraints": self.constraints.n - self.constraints.reached,
            "revisits": self.revisits.n, "revisits_told": self.revisits.reached,
            "opposite": self.opposite.n, "opposite_told": self.opposite.reached,
        }  # fmt: skip
        return asdict(self) | counts


def with_drift(poses: Array, drift: float, rng: np.random.Generator) -> Array:
    """Odometry (n, 3) of a robot that was at `poses` (n, 3), with errors that `drift` scales.

    Of one standard deviation each: wheels that measure `drift` too much of all distances and of all turns, and pull to
    a side by drift / 10 rad a metre, over the whole log; and in each step another `drift` of its length, half of that
    to the side, and a turn of `drift` of its turn and half of that a metre.
    """
    steps = relative(poses[:-1], poses[1:])
    length, turn = np.hypot(steps[:, 0], steps[:, 1]), np.abs(steps[:, 2])
    gain, turn_gain = 1.0 + drift * rng.normal(size=2)
    pull = 0.1 * drift * rng.normal()
    noise = drift * rng.normal(size=(len(steps), 3))
    steps[:, :2] *= gain
    steps[:, 0] += noise[:, 0] * length
    steps[:, 1] += noise[:, 1] * length / 2
    steps[:, 2] = turn_gain * steps[:, 2] + pull * length + noise[:, 2] * (turn + length / 2)
    found = [poses[0]]
    for step in steps:
        found.append(compose(found[-1], step))
    return np.array(found)


def drawn_log(number: int) -> CarmenLog:
    """Of a drive over drawn open ground."""
    rng = np.random.default_rng([number, 77])
    yard = draw_yard(rng, YARD_WAY, YARD_STEP, YARD_LASER.farthest)
    rows = [
        LaserRow(float(k), pose, YARD_LASER.scan(yard.plan(k), pose, rng, yard.ground(k)))
        for k, pose in enumerate(yard.route)
    ]
    return CarmenLog(Path(f"yard:{number}"), rows, 0)


def driven_log(world: str, robot: str, minutes: float, seed: int) -> tuple[CarmenLog, Array]:
    """Of a robot that goes from room to room of a world and looks around, and what its wheels make of it (n, 3)."""
    driven = Loopback(world, seed=seed, robot=load_robot(robot))
    description, rng = driven.description, np.random.default_rng([seed, 78])
    routes = Routes(FreeSpace(driven.world, driven.doors, description.shape.radius), description.shape.radius)
    driver = RouteDriver(routes, rng, description)
    rows, odometry = [], []
    for _ in range(round(60.0 * minutes / PERIOD)):
        seen, pose = driven.observe(), driven.ground_truth().pose
        rows.append(LaserRow(seen.stamp, pose, seen.scan))
        odometry.append(seen.odometry)
        driven.step(driver.command(pose, seen.scan), PERIOD)
    return CarmenLog(Path(world), rows, 0), np.array(odometry)


def measure(
    log: CarmenLog, odometry: Array, file: Path, report: Callable[[int, int], None], learned: bool = True
) -> LogFigures:
    """Lives through one log with an empty memory in `file`.

    Args:
        log: see there.
        odometry: (n, 3) at its scans.
        file: of the memory.
        report: is told how many scans of how many are done.
        learned: see `laser_config`.
    """
    truth = log.poses
    memory = PlaceMemory(LaserModel(), ENCODER, file, laser_config(learned))
    try:
        founded: dict[int, int] = {}  # place id -> scan
        believed: list[Location] = []
        took = np.zeros(len(truth))
        for k, row in enumerate(log.scans):
            start = time.perf_counter()
            believed.append(memory.observe(float(k), None, odometry[k], scan=row.scan))
            took[k] = 1e3 * (time.perf_counter() - start)
            while memory.prepare():  # between two scans a robot has time
                pass
            for place_id in memory.map.index.ids[len(founded) :].tolist():
                founded[place_id] = k
            report(k + 1, len(truth))
        memory.finish()
        memory.map.store.flush()
        return _judge(log, memory, founded, believed, odometry, took)
    finally:
        memory.close()


def _judge(
    log: CarmenLog,
    memory: PlaceMemory,
    founded: dict[int, int],
    believed: list[Location],
    odometry: Array,
    took: Array,
) -> LogFigures:
    truth, places = log.poses, memory.map
    driven = np.append(0.0, np.cumsum(np.hypot(*np.diff(truth[:, :2], axis=0).T)))
    edges = places.graph.edges.columns
    constraints = edges[edges["loop"] > 0]
    ends = np.array([[founded[int(i)] for i in constraints[k]] for k in ("start", "stop")], np.int64).reshape(2, -1)
    measured = np.column_stack([constraints[k] for k in ("x", "y", "yaw")])
    right = ~np.greater(pose_gap(relative(truth[ends[0]], truth[ends[1]]), measured), np.reshape(WRONG, (2, 1))).any(0)
    at = np.array([founded.get(b.place_id, -1) for b in believed])
    revisits, opposite = _revisits(truth, driven)
    told = _told(truth, driven, at, ends[:, right])
    hits = told[revisits]
    ids, lost = places.index.ids.tolist(), np.array([not b.localised for b in believed])
    error = aligned_error(places.index.poses, truth[[founded[i] for i in ids]])
    return LogFigures(
        name=str(log.path.name),
        scans=len(truth),
        skipped_lines=log.skipped,
        driven_m=float(driven[-1]),
        places=len(places),
        file_bytes_per_place=places.store.size() / max(1, len(places)),
        constraints=SuccessRate.of(right.tolist()),
        revisits=SuccessRate.of(hits.tolist()),
        opposite=SuccessRate.of(hits[opposite].tolist()),
        odometry_ate_m=float(np.sqrt(np.square(aligned_error(odometry, truth)).mean())),
        map_ate_m=float(np.sqrt(np.square(error).mean())),
        map_ate_max_m=float(error.max()),
        losses=int((lost[1:] & ~lost[:-1]).sum()),
        lost=int(lost.sum()),
        ms_p50=float(np.percentile(took, 50)),
        ms_p95=float(np.percentile(took, 95)),
        ms_max=float(took.max()),
    )


def _revisits(truth: Array, driven: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Scans, SPACING apart, that were taken within SPACING of an earlier one, LOOP of driving before; and whether all
    of those looked the other way."""
    chosen = [0]
    for k in range(1, len(truth)):
        if driven[k] - driven[chosen[-1]] >= SPACING:
            chosen.append(k)
    found, opposite = [], []
    for k in chosen:
        earlier = np.flatnonzero(driven < driven[k] - LOOP)
        distance, turn = pose_gap(truth[earlier], truth[k])
        if (near := distance < SPACING).any():
            found.append(k)
            opposite.append(bool(turn[near].min() > OPPOSITE))
    return np.array(found, np.int64), np.array(opposite, bool)


def _told(truth: Array, driven: Array, at: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """At which scans (n,) memory knew that the robot was there before: by a place of then, or one joined to such.

    Args:
        truth: (n, 3).
        driven: (n,) [m].
        at: (n,) scan at which the place was founded that the robot was believed at; -1: none.
        ends: (2, m) of the constraints that are true.
    """
    joined = {int(a) for a, b in ends.T if abs(driven[a] - driven[b]) >= 0.5 * LOOP} | {
        int(b) for a, b in ends.T if driven[b] - driven[a] >= 0.5 * LOOP
    }
    told = np.zeros(len(at), bool)
    for k in np.flatnonzero(at >= 0).tolist():
        here = int(at[k])
        is_old = driven[here] < driven[k] - 0.5 * LOOP
        told[k] = (is_old or here in joined) and float(np.hypot(*(truth[here] - truth[k])[:2])) < 2 * SPACING
    return told


def aligned_error(poses: Array, truth: Array) -> Array:
    """Distances [m] (n,) to true positions after the rigid motion that makes them least (Kabsch 1976)."""
    a, b = poses[:, :2] - poses[:, :2].mean(0), truth[:, :2] - truth[:, :2].mean(0)
    u, _, v = np.linalg.svd(a.T @ b)
    turn = u @ np.diag([1.0, np.sign(np.linalg.det(u @ v))]) @ v
    return np.asarray(np.hypot(*(a @ turn - b).T))
