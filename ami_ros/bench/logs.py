"""How well the memory finds its way back in logs of real lasers: its map is made anew with worse odometry.

The log's corrected poses are the truth. Their steps, made worse by a stated and seeded drift, are the odometry; beside
it the memory has the scans and nothing else. Of open ground and halls there are few public logs, so they are drawn.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.bench.scenario import Part, Report, Row
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.core.robots.description import load_robot
from ami_ros.memory.front_end import FrontEndConfig
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.loop_closure import HypothesisConfig, LoopClosureConfig
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import Location
from ami_ros.simulation.exploration import PERIOD
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.routes import RouteDriver, Routes
from ami_ros.simulation.yards import draw_yard
from ami_ros.world_model.learning.carmen import CarmenLog, LaserRow, find_logs, read_carmen
from ami_ros.world_model.learning.scan_training import Laser

SPACING = 1.0  # [m] between the poses at which memory is asked, and within which an earlier one makes a revisit
LOOP = 10.0  # [m] driven since the earlier one, at least
YARD_LASER = Laser(360, np.pi, 80.0, 0.015)  # a SICK LMS 291


@dataclass(frozen=True)
class Logs:
    """Logs of real lasers with corrected poses, through a laser-only memory with drifting odometry."""

    folder: str = ""  # with CARMEN logs (*.log, *.log.gz); or one log
    yards: int = 0  # drives over drawn open ground, in place of logs
    worlds: tuple[str, ...] = ()  # that a robot drives through from room to room, in place of logs
    robot: str = "ami_bot"  # that does, with the odometry that it has; other errors in each
    minutes: float = 20.0  # of each of these drives
    drift: float = 0.05  # standard deviation of errors per metre and radian; half of it in radians per metre
    learned: bool = True  # compare scans with models/scans, else by the share of points that agree

    def parts(self) -> Sequence[Part]:
        if self.yards:
            return [Part(f"yard:{number}") for number in range(1, self.yards + 1)]
        if self.worlds:
            return [Part(world) for world in self.worlds]
        if not self.folder:
            raise AmiError("bench logs: say where the logs are: ./ami bench logs --folder FOLDER")
        return [Part(log.name) for log in find_logs(Path(self.folder))]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        if part in self.worlds:
            log, odometry = driven_log(part, self.robot, self.minutes, seed + self.worlds.index(part))
        else:
            log = (
                drawn_log(int(part.removeprefix("yard:")))
                if self.yards
                else read_carmen(next(log for log in find_logs(Path(self.folder)) if log.name == part))
            )
            odometry = with_drift(log.poses, self.drift, np.random.default_rng([seed, len(log.scans)]))
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            yield measure(log, odometry, Path(scratch) / "log.memory", report, self.learned)


def laser_config(learned: bool = True) -> MemoryConfig:
    """A memory of a laser alone: places less than a metre apart; a turn on the spot makes no other place.

    Args:
        learned: what compares fits: a network, or the share of points that agree, which wants more votes.
    """
    loop_closure = (
        LoopClosureConfig() if learned else LoopClosureConfig(learned=False, hypotheses=HypothesisConfig(votes=4.0))
    )
    return MemoryConfig(spacing=0.8, turn_spacing=7.0, front_end=FrontEndConfig(loop_closure=loop_closure))


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
    """Of a drive of 640 m over drawn open ground, with a scan each 0.87 m."""
    rng = np.random.default_rng([number, 77])
    yard = draw_yard(rng, 640.0, 0.87, YARD_LASER.farthest)
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


def laser_memory(path: Path, learned: bool = True) -> PlaceMemory:
    """A memory of a laser alone in a file."""
    return PlaceMemory(LaserModel(), ENCODER, path, laser_config(learned))


def measure(log: CarmenLog, odometry: Array, file: Path, report: Report, learned: bool = True) -> Row:
    """What came of one log that is lived through with an empty memory.

    Args:
        log: see there.
        odometry: (n, 3) at its scans.
        file: of the memory.
        report: is told how many scans of how many are done.
        learned: see `laser_config`.
    """
    truth = log.poses
    with closing(laser_memory(file, learned)) as memory:
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
            report(f"{k + 1} of {len(truth)}")
        memory.finish()
        memory.map.store.flush()
        lost, index = np.array([not b.localised for b in believed]), memory.map.index
        off = aligned_error(index.poses, truth[[founded[i] for i in index.ids.tolist()]])
        return {
            "name": str(log.path.name), "scans": len(truth), "skipped_lines": log.skipped, "places": len(index.ids),
            "file_bytes_per_place": memory.map.store.size() / max(1, len(index.ids)),
            "odometry_ate_m": float(np.sqrt(np.square(aligned_error(odometry, truth)).mean())),  # after alignment
            "map_ate_m": float(np.sqrt(np.square(off).mean())), "map_ate_max_m": float(off.max()),
            "losses": int((lost[1:] & ~lost[:-1]).sum()), "lost": int(lost.sum()),  # how often, and for how many scans
            "ms_p50": float(np.percentile(took, 50)), "ms_p95": float(np.percentile(took, 95)),
            "ms_max": float(took.max()), **_revisits(truth, memory, founded, believed),
        }  # fmt: skip


def false_constraints(ends: Sequence[Array] | Array, measured: Array) -> NDArray[np.bool_]:
    """Whether constraints (m,), between true poses `ends` (2, m, 3), that say `measured` (m, 3) are 0.5 m or 0.2 rad
    off."""
    return np.asarray(np.greater(pose_gap(relative(ends[0], ends[1]), measured), [[0.5], [0.2]]).any(0))


def _revisits(truth: Array, memory: PlaceMemory, founded: dict[int, int], believed: list[Location]) -> Row:
    """Counts of loop constraints and false ones, and of revisits that were driven and that true constraints told; of
    those in the opposite direction, too.

    Revisits are scans, SPACING apart, that were taken within SPACING of an earlier one, LOOP of driving before.
    """
    driven = np.append(0.0, np.cumsum(np.hypot(*np.diff(truth[:, :2], axis=0).T)))
    edges = memory.map.graph.edges.columns
    constraints = edges[edges["loop"] > 0]
    ends = np.array([[founded[int(i)] for i in constraints[k]] for k in ("start", "stop")], np.int64).reshape(2, -1)
    wrong = false_constraints(truth[ends], np.column_stack([constraints[k] for k in ("x", "y", "yaw")]))
    told = _told(truth, driven, np.array([founded.get(b.place_id, -1) for b in believed]), ends[:, ~wrong])
    chosen = [0]
    for k in range(1, len(truth)):
        if driven[k] - driven[chosen[-1]] >= SPACING:
            chosen.append(k)
    hits, opposite = [], []
    for k in chosen:
        earlier = np.flatnonzero(driven < driven[k] - LOOP)
        distance, turn = pose_gap(truth[earlier], truth[k])
        if (near := distance < SPACING).any():
            hits.append(bool(told[k]))
            opposite.append(bool(turn[near].min() > 2.0))  # [rad]
    return {
        "driven_m": float(driven[-1]), "constraints": len(wrong), "false_constraints": int(wrong.sum()),
        "revisits": len(hits), "revisits_told": sum(hits), "opposite": sum(opposite),
        "opposite_told": sum(hit and back for hit, back in zip(hits, opposite, strict=True)),
    }  # fmt: skip


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
