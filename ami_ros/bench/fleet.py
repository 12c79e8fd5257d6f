"""Robots that share what they remember over a bad network, and memories of a fleet that a job merges."""

from __future__ import annotations

import heapq
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.bench.logs import WRONG, aligned_error, driven_log, laser_config
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, pose_gap, register, relative
from ami_ros.memory.fleet.dataset import compact, export_memory
from ami_ros.memory.fleet.merge import FOLDER, MergeSetting, merge_fleet
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.sharing.exchange import Exchange, SharingConfig
from ami_ros.memory.sharing.letters import Letter, packed, unpacked
from ami_ros.memory.sharing.replica import Copies
from ami_ros.memory.sharing.rows import OwnRows
from ami_ros.memory.store import Store
from ami_ros.memory.types import is_own, key_of
from ami_ros.world_model.learning.carmen import CarmenLog

# A network between robots that share their memories, in simulated time: it loses, delays, and cuts off.

STEP, TICK = 0.1, 10  # [s], and steps between two states of a robot, as the node `sharing` has them


class LossyNetwork:
    """Carries letters, each as it would be packed.

    Args:
        exchanges: of the robots, by their names.
        loss: share of letters that do not arrive, of each receiver.
        delay: [s] until the others do, give or take half of it, so that they overtake each other.
        seed: of both.
        start: clock of all robots at first [s].

    Attributes:
        time: that has passed [s].
        ahead: by which the clock of a robot is ahead [s].
        apart: robots that nobody hears, and that hear nobody.
        bytes: that were sent.
        refused: by each robot, one line each.
    """

    def __init__(
        self, exchanges: dict[str, Exchange], loss: float = 0.0, delay: float = 0.0, seed: int = 0, start: float = 0.0
    ) -> None:
        self.exchanges, self.loss, self.delay, self.start = exchanges, loss, delay, start
        self.time, self.bytes = 0.0, 0
        self.ahead: dict[str, float] = {}
        self.apart: set[str] = set()
        self.refused: dict[str, list[str]] = {robot: [] for robot in exchanges}
        self._draw = random.Random(seed)
        self._steps = 0
        self._under_way: list[tuple[float, int, str, Letter]] = []

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float | None:
        """Lets time pass; returns after how many seconds `until()` held, asked once a second; None: it did not."""
        began = self.time
        for _ in range(round(seconds / STEP)):
            for robot, exchange in self.exchanges.items():
                now = self.clock(robot)
                if self._steps % TICK == 0:
                    self._send(robot, exchange.tick(now, self.time))
                self._send(robot, exchange.send_rows(now, STEP))
            self._steps += 1
            self.time += STEP
            while self._under_way and self._under_way[0][0] <= self.time:
                _, _, robot, letter = heapq.heappop(self._under_way)
                try:
                    self._send(robot, self.exchanges[robot].take(letter, self.clock(robot), self.time))
                except AmiError as error:
                    self.refused[robot].append(str(error))
            if self._steps % TICK == 0 and until():
                return self.time - began
        return None

    def clock(self, robot: str) -> float:
        """What a robot takes for the time [s]."""
        return self.start + self.time + self.ahead.get(robot, 0.0)

    def _send(self, sender: str, letters: list[Letter]) -> None:
        for letter in letters:
            data = packed(letter.content)
            self.bytes += len(data)
            for robot in self.exchanges:
                if robot == sender or self._draw.random() < self.loss or {robot, sender} & self.apart:
                    continue
                at = self.time + self.delay * self._draw.uniform(0.5, 1.5)
                heard = replace(letter, content=unpacked(data))
                heapq.heappush(self._under_way, (at, self._draw.getrandbits(40), robot, heard))


# Two robots of one building share what they remember over a bad network: how soon both have all, how much of it each
# takes into its own map, where that lies, and whether the map of a third robot, from another building, stays out.
#
# The robots have a laser and no camera, so a drive takes seconds. Each begins where it was put, with drifting
# odometry, and with a map in a frame of its own. Nobody tells one where the other is.

Row = dict[str, Any]
Truths = dict[int, Array]  # where places were founded in the world (3,), by their ids
SITE, NAMES = "bench", ("amr1", "amr2")
PATIENCE = 600.0  # [s] until robots have all of each other
CLOCK = 1e6  # [s] later than all drives


def share_building(
    world: str, strange: str, robot: str, minutes: float, loss: float, delay: float, seed: int, folder: Path
) -> Iterator[Row]:
    """Rows of `what` "same", one for each robot, and "another", of a map that has nothing to do with this one.

    Args:
        world: both robots drive there.
        strange: the third one does there.
        robot: a name or file.
        minutes: of each drive.
        loss, delay: of the network, see `LossyNetwork`.
        seed: of drives and network.
        folder: for memories; it is empty.
    """
    truths = {
        name: _remember(driven_log(where, robot, minutes, 3 * seed + number), folder / f"{name}.memory")
        for number, (name, where) in enumerate([*((name, world) for name in NAMES), ("strange", strange)])
    }
    synced, sent = _exchange(folder, loss, delay, seed)
    for name, other in (NAMES, NAMES[::-1]):
        memory = _open(folder / f"{name}.memory")
        with closing(memory):
            memory.share_as(name)
            (copy,) = Copies(folder / f"{name}.site").changed()
            row, slices = _take_in(memory, other, copy.path)
            row |= _judge(memory, other, truths[name], truths[other]) if row["joined"] else {}
            row |= {"synced": synced is not None, "synced_s": synced, "sent_MB": 1e-6 * sent}
            slow = {"slice_p99_ms": float(np.percentile(slices, 99)), "slice_max_ms": float(slices.max())}
            yield {"what": "same", "robot": name} | row | slow
            row, _ = _take_in(memory, "strange", folder / "strange.memory")
            yield {"what": "another", "robot": name} | row


def _open(path: Path) -> PlaceMemory:
    return PlaceMemory(LaserModel(), ENCODER, path, laser_config())


def _remember(driven: tuple[CarmenLog, Array], path: Path) -> Truths:
    """Makes a memory of a drive."""
    (log, odometry), founded = driven, Truths()
    with closing(_open(path)) as memory:
        memory.share_as(path.stem)
        for k, row in enumerate(log.scans):
            memory.observe(row.stamp, None, odometry[k], scan=row.scan)
            while memory.prepare():  # between two scans a robot has time
                pass
            for place_id in memory.map.index.ids[len(founded) :].tolist():
                founded[place_id] = log.poses[k]
        memory.finish()
        memory.map.store.flush()
    return founded


def _exchange(folder: Path, loss: float, delay: float, seed: int) -> tuple[float | None, int]:
    """After how many seconds both robots have all of each other, None: not in time; and how many bytes that took."""
    own = {name: OwnRows(folder / f"{name}.memory") for name in NAMES}
    exchanges = {name: Exchange(SharingConfig(SITE, name), own[name], folder / f"{name}.site") for name in NAMES}
    network = LossyNetwork(exchanges, loss, delay, seed, CLOCK)
    took = network.run(PATIENCE, lambda: all(exchanges[a].is_complete(b) for a, b in (NAMES, NAMES[::-1])))
    for exchange in exchanges.values():
        exchange.close()
    return took, network.bytes


def _take_in(memory: PlaceMemory, other: str, path: Path) -> tuple[Row, Array]:
    """Takes in all of another memory; what came of it, and how long each slice of work took [ms]."""
    memory.take_in(other, path)
    took = []
    more = True
    while more:
        began = time.perf_counter()
        more = memory.prepare()
        took.append(1e3 * (time.perf_counter() - began))
    joined = memory.joined[other]
    row = {
        "joined": joined.taken + joined.known > 0, "taken": joined.taken, "known": joined.known, "left": joined.left,
        "theirs": joined.taken + joined.known + joined.left, "message": joined.message,
    }  # fmt: skip
    return row, np.array(took)


def _judge(memory: PlaceMemory, other: str, mine: Truths, theirs: Truths) -> Row:
    """Where the places of the other lie in this robot's map, and what holds the two together."""
    index, base = memory.map.index, key_of(other) << 32
    truth = {i: pose for i, pose in mine.items() if i in index} | {base + i: pose for i, pose in theirs.items()}
    own = [i for i in index.ids.tolist() if i in mine]
    foreign = [i for i in index.ids.tolist() if not is_own(i)]
    frame = register(index.poses[index.rows(np.array(own))], np.array([mine[i] for i in own]))
    edges = memory.map.graph.edges.columns
    between = edges[(edges["loop"] > 0) & (is_own(edges["start"]) != is_own(edges["stop"]))]
    measured = np.column_stack([between[name] for name in ("x", "y", "yaw")])
    ends = [np.array([truth[i] for i in between[name].tolist()]).reshape(-1, 3) for name in ("start", "stop")]
    wrong = np.greater(pose_gap(relative(*ends), measured), np.reshape(WRONG, (2, 1))).any(0)
    row: Row = {"joins": len(between), "false_joins": int(wrong.sum())}
    if foreign and frame is not None:
        believed = compose(frame, index.poses[index.rows(np.array(foreign))])
        off, _ = pose_gap(believed, np.array([truth[i] for i in foreign]))
        row |= {"error_p50_m": float(np.median(off)), "error_max_m": float(off.max()), "wrong": int((off > 0.5).sum())}
    return row


# The memories of a fleet are merged: whether each building becomes one map and no two do, where places lie in it, and
# how long that takes with one process and with several.
#
# The robots have a laser and no camera, so a drive takes seconds. Each drive is cut into parts. Each part is the
# memory of a robot of its own, which knows nothing of the others, with a map in a frame of its own and its own drift.

EVERY = 2  # of how many scans a memory gets one
APART = 1e5  # [s] between drives, so that the time at which a place was founded tells which place it is
WORKERS = 1, 2, 8, 64  # for which the model of cost is told


@dataclass(frozen=True)
class Fleet:
    """What is driven.

    Attributes:
        worlds: one for each building.
        robot: a name or file.
        drives: in each building.
        parts: memories that each drive becomes.
        minutes: of each part.
        seed: of the drives.
    """

    worlds: Sequence[str]
    robot: str
    drives: int
    parts: int
    minutes: float
    seed: int


def merge_buildings(fleet: Fleet, workers: int, scratch: Path, report: Callable[[str], None]) -> Iterator[Row]:
    """Rows of `what` "job", one for each number of processes, and "map", one for each that came of it.

    Args:
        fleet: see there.
        workers: processes of the second job, that has to come to the same as the first one.
        scratch: an empty folder.
        report: is told what is going on.
    """
    data, found = scratch / "fleet", list[Row]()
    truths, built = _merge_trials_remember(fleet, data, scratch, report)
    for count in dict.fromkeys((1, workers)):
        shutil.rmtree(data / FOLDER, ignore_errors=True)
        out = scratch / f"by{count}"
        began = time.perf_counter()
        report(f"merging with {count} processes")
        _run(data, out, count)
        wall = time.perf_counter() - began
        summary = merge_fleet(data, None, _setting(), lambda what: None)  # what they came to
        found.append(_job(summary, fleet, built) | {"processes": count, "wall_s": wall})
        if count == 1:
            yield from _maps(summary, out, truths, built)
    same = all(_is_same(scratch / "by1" / each["file"], out / each["file"]) for each in summary["maps"])
    yield from (row | {"same": same} for row in found)


def _setting() -> MergeSetting:
    return MergeSetting(LaserModel(), ENCODER, laser_config())


def _merge_trials_remember(
    fleet: Fleet, data: Path, scratch: Path, report: Callable[[str], None]
) -> tuple[dict[float, Array], dict[str, int]]:
    """Makes the data set: where places were founded in the world (3,), by when [s], and in which building each robot
    was."""
    truths, built = dict[float, Array](), dict[str, int]()
    for building, world in enumerate(fleet.worlds):
        for number in range(fleet.drives):
            report(f"building {building + 1} of {len(fleet.worlds)}, drive {number + 1}")
            drive = building * fleet.drives + number
            log, odometry = driven_log(world, fleet.robot, fleet.parts * fleet.minutes, fleet.seed + drive)
            for part, rows in enumerate(np.array_split(np.arange(len(log.scans)), fleet.parts)):
                name = f"b{building:03}d{number}p{part:02}"
                path = scratch / f"{name}.memory"
                with closing(PlaceMemory(LaserModel(), ENCODER, path, laser_config())) as memory:
                    for k in rows[::EVERY].tolist():
                        stamp = APART * drive + log.scans[k].stamp
                        truths[stamp] = log.poses[k]
                        memory.observe(stamp, None, relative(odometry[rows[0]], odometry[k]), scan=log.scans[k].scan)
                        while memory.prepare():
                            pass
                    memory.finish()
                export_memory(path, data, name)
                path.unlink()
                built[name] = building
        compact(data, 0.0)
    return truths, built


def _run(data: Path, out: Path, count: int) -> None:
    if count == 1:
        _merge(data, out)
        return
    processes = [get_context("spawn").Process(target=_merge, args=(data, None if k else out)) for k in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise AmiError(f"bench merge: a process ended with {process.exitcode}")


def _merge(data: Path, out: Path | None) -> None:
    merge_fleet(data, out, _setting(), lambda what: None)


def _job(summary: Row, fleet: Fleet, built: dict[str, int]) -> Row:
    maps = [Counter(built[robot] for robot in each["robots"]) for each in summary["maps"]]
    largest = sum(max(each[b] for each in maps) for b in range(len(fleet.worlds)))
    total, longest = np.array(summary["steps"]).T
    compared = summary["joins"] + summary["searches"]
    in_pairs = float(total[2:].sum())
    model = {f"model_{w}_s": float(np.maximum(total / w, longest).sum()) for w in WORKERS}
    return {
        "what": "job", "memories": len(built), "buildings": len(fleet.worlds), "maps": len(maps),
        "wrong": sum(sum(each.values()) - max(each.values()) for each in maps), "in_largest": largest,
        "joins": summary["joins"], "searches": summary["searches"], "rounds": summary["rounds"],
        "left": summary["left"], "refused": len(summary["refused"]), "cpu_s": float(total.sum()),
        "pair_s": in_pairs / max(1, compared), "first_s": float(total[:2].sum()),
    } | model  # fmt: skip


def _maps(summary: Row, out: Path, truths: dict[float, Array], built: dict[str, int]) -> Iterator[Row]:
    for each in summary["maps"]:
        store = Store(out / each["file"], ENCODER, LaserModel.spec.latent_dim, read_only=True)
        table, _ = store.read()
        store.close()
        truth = np.array([truths[stamp] for stamp in table.numbers["created"].tolist()])
        row: Row = {"what": "map", "places": len(truth), "robots": len(each["robots"]), "file": each["file"]}
        if len(truth) > 2 and len({built[robot] for robot in each["robots"]}) == 1:
            off = aligned_error(table.poses, truth)
            error = {"error_p50_m": float(np.median(off)), "error_max_m": float(off.max())}
            row |= error | {"off": int((off > 0.5).sum())}
        yield row


def _is_same(first: Path, second: Path) -> bool:
    """Whether two memories have the same places and ways, to the last bit."""
    both = []
    for path in (first, second):
        store = Store(path, ENCODER, LaserModel.spec.latent_dim, read_only=True)
        table, edges = store.read()
        store.close()
        both.append((table.poses.tobytes(), table.latents.tobytes(), table.numbers.tobytes(), edges.tobytes()))
    return both[0] == both[1]
