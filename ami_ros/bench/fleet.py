"""Robots that share what they remember over a bad network, and memories of a fleet that a job merges."""

from __future__ import annotations

import heapq
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.bench.logs import aligned_error, driven_log, false_constraints, laser_config, laser_memory
from ami_ros.bench.scenario import Part, Report, Row, unseen_building
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


class LossyNetwork:
    """A network between robots that share their memories, in simulated time: it loses, delays, and cuts off. It carries
    letters, each as it would be packed.

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
        began, step = self.time, 0.1  # [s]; ten of them between two states of a robot, as the node `sharing` has them
        for _ in range(round(seconds / step)):
            for robot, exchange in self.exchanges.items():
                now = self.clock(robot)
                if self._steps % 10 == 0:
                    self._send(robot, exchange.tick(now, self.time))
                self._send(robot, exchange.send_rows(now, step))
            self._steps += 1
            self.time += step
            while self._under_way and self._under_way[0][0] <= self.time:
                _, _, robot, letter = heapq.heappop(self._under_way)
                try:
                    self._send(robot, self.exchanges[robot].take(letter, self.clock(robot), self.time))
                except AmiError as error:
                    self.refused[robot].append(str(error))
            if self._steps % 10 == 0 and until():
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


@dataclass(frozen=True)
class Sharing:
    """Two robots that share their memories of one building over a bad network.

    They have a laser and no camera, so a drive takes seconds. Each begins where it was put, with drifting odometry, and
    with a map in a frame of its own. Nobody tells one where the other is.
    """

    kinds: tuple[str, ...] = ("home", "office", "ward", "school", "warehouse", "gallery", "hotel")  # of buildings
    robot: str = "ami_bot"  # name or file; its laser counts
    minutes: float = 5.0  # that each drives
    loss: float = 0.2  # share of letters that get lost
    delay: float = 0.5  # [s] until the others arrive

    def parts(self) -> Sequence[Part]:
        return [Part(kind) for kind in self.kinds]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """Rows of `what` "same", one for each robot, and "another", of a map from another building: how soon both have
        all, how much of it each takes into its own map, where that lies, and whether the strange map stays out."""
        world, strange = (str(unseen_building(part, seed, number)) for number in range(2))
        names = "amr1", "amr2"
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            folder = Path(scratch)
            truths = {
                name: _remember(driven_log(where, self.robot, self.minutes, 3 * seed + k), folder / f"{name}.memory")
                for k, (name, where) in enumerate([*((name, world) for name in names), ("strange", strange)])
            }
            synced, sent = self._exchange(folder, names, seed)
            for name, other in (names, names[::-1]):
                with closing(laser_memory(folder / f"{name}.memory")) as memory:
                    memory.share_as(name)
                    (copy,) = Copies(folder / f"{name}.site").changed()
                    row, slices = _take_in(memory, other, copy.path)
                    row |= _judge(memory, other, truths[name], truths[other]) if row["joined"] else {}
                    row |= {"synced": synced is not None, "synced_s": synced, "sent_MB": 1e-6 * sent}
                    slow = {"slice_p99_ms": float(np.percentile(slices, 99)), "slice_max_ms": float(slices.max())}
                    yield {"building": part, "what": "same", "robot": name} | row | slow
                    row, _ = _take_in(memory, "strange", folder / "strange.memory")
                    yield {"building": part, "what": "another", "robot": name} | row

    def _exchange(self, folder: Path, names: tuple[str, str], seed: int) -> tuple[float | None, int]:
        """After how many seconds both robots have all of each other, None: not in 600; and how many bytes that took."""
        exchanges = {
            name: Exchange(SharingConfig("bench", name), OwnRows(folder / f"{name}.memory"), folder / f"{name}.site")
            for name in names
        }
        network = LossyNetwork(exchanges, self.loss, self.delay, seed, start=1e6)  # later than all drives
        took = network.run(600.0, lambda: all(exchanges[a].is_complete(b) for a, b in (names, names[::-1])))
        for exchange in exchanges.values():
            exchange.close()
        return took, network.bytes


def _remember(driven: tuple[CarmenLog, Array], path: Path) -> dict[int, Array]:
    """Makes a memory of a drive: where its places were founded in the world (3,), by their ids."""
    (log, odometry), founded = driven, dict[int, Array]()
    with closing(laser_memory(path)) as memory:
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


def _judge(memory: PlaceMemory, other: str, mine: dict[int, Array], theirs: dict[int, Array]) -> Row:
    """Where the places of the other lie in this robot's map, and what holds the two together."""
    index, base = memory.map.index, key_of(other) << 32
    truth = {i: pose for i, pose in mine.items() if i in index} | {base + i: pose for i, pose in theirs.items()}
    own = [i for i in index.ids.tolist() if i in mine]
    foreign = [i for i in index.ids.tolist() if not is_own(i)]
    frame = register(index.poses[index.rows(np.array(own))], np.array([mine[i] for i in own]))
    edges = memory.map.graph.edges.columns
    between = edges[(edges["loop"] > 0) & (is_own(edges["start"]) != is_own(edges["stop"]))]
    ends = [np.array([truth[i] for i in between[name].tolist()]).reshape(-1, 3) for name in ("start", "stop")]
    wrong = false_constraints(ends, np.column_stack([between[name] for name in ("x", "y", "yaw")]))
    row: Row = {"joins": len(between), "false_joins": int(wrong.sum())}
    if foreign and frame is not None:
        believed = compose(frame, index.poses[index.rows(np.array(foreign))])
        off, _ = pose_gap(believed, np.array([truth[i] for i in foreign]))
        row |= {"error_p50_m": float(np.median(off)), "error_max_m": float(off.max()), "wrong": int((off > 0.5).sum())}
    return row


@dataclass(frozen=True)
class Merge:
    """Memories of many robots, from several buildings, that a job merges: whether each building becomes one map and no
    two do, where places lie in it, and how long that takes with one process and with several.

    Each drive, with a laser and no camera, is cut into parts. Each part is the memory of a robot of its own, which
    knows nothing of the others, with a map in a frame of its own and its own drift.
    """

    buildings: int = 4  # in which robots drive
    kinds: tuple[str, ...] = ("home", "office", "ward", "school", "warehouse", "gallery", "hotel")  # in turn
    robot: str = "ami_bot"  # name or file; its laser counts
    drives: int = 2  # in each building
    memories: int = 5  # that each drive becomes, one of each part
    minutes: float = 1.0  # of each part
    processes: int = 2  # of the second job, which has to come to the same as the first; 1: there is none

    def parts(self) -> Sequence[Part]:
        return [Part("merge")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """Rows of `what` "job", one for each number of processes, and "map", one for each that came of it."""
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            folder, found = Path(scratch), list[Row]()
            data = folder / "fleet"
            truths, built = self._remember(seed, data, folder, report)
            for count in dict.fromkeys((1, self.processes)):
                shutil.rmtree(data / FOLDER, ignore_errors=True)
                out = folder / f"by{count}"
                began = time.perf_counter()
                report(f"merging with {count} processes")
                _merge_by(data, out, count)
                wall = time.perf_counter() - began
                summary = _merge(data, None)  # what they came to
                found.append(self._job(summary, built) | {"processes": count, "wall_s": wall})
                if count == 1:
                    yield from _maps(summary, out, truths, built)
            files = [(folder / "by1" / each["file"], out / each["file"]) for each in summary["maps"]]
            same = all(_content(first) == _content(second) for first, second in files)
            yield from (row | {"same": same} for row in found)

    def _remember(
        self, seed: int, data: Path, scratch: Path, report: Report
    ) -> tuple[dict[float, Array], dict[str, int]]:
        """Makes the data set: where places were founded in the world (3,), by when [s], and in which building each
        robot was. Drives are 1e5 s apart, so that the time at which a place was founded tells which place it is."""
        truths, built = dict[float, Array](), dict[str, int]()
        for building, number in product(range(self.buildings), range(self.drives)):
            report(f"building {building + 1} of {self.buildings}, drive {number + 1}")
            world = str(unseen_building(self.kinds[building % len(self.kinds)], seed, building))
            drive = building * self.drives + number
            log, odometry = driven_log(world, self.robot, self.memories * self.minutes, 1000 * seed + drive)
            for part, rows in enumerate(np.array_split(np.arange(len(log.scans)), self.memories)):
                name = f"b{building:03}d{number}p{part:02}"
                path = scratch / f"{name}.memory"
                with closing(laser_memory(path)) as memory:
                    for k in rows[::2].tolist():
                        stamp = 1e5 * drive + log.scans[k].stamp
                        truths[stamp] = log.poses[k]
                        memory.observe(stamp, None, relative(odometry[rows[0]], odometry[k]), scan=log.scans[k].scan)
                        while memory.prepare():
                            pass
                    memory.finish()
                export_memory(path, data, name)
                path.unlink()
                built[name] = building
            if number == self.drives - 1:
                compact(data, 0.0)
        return truths, built

    def _job(self, summary: Row, built: dict[str, int]) -> Row:
        maps = [Counter(built[robot] for robot in each["robots"]) for each in summary["maps"]]
        largest = sum(max(each[b] for each in maps) for b in range(self.buildings))
        total, longest = np.array(summary["steps"]).T
        compared = summary["joins"] + summary["searches"]
        model = {f"model_{w}_s": float(np.maximum(total / w, longest).sum()) for w in (1, 2, 8, 64)}  # workers
        return {
            "what": "job", "memories": len(built), "buildings": self.buildings, "maps": len(maps),
            "wrong": sum(sum(each.values()) - max(each.values()) for each in maps), "in_largest": largest,
            "joins": summary["joins"], "searches": summary["searches"], "rounds": summary["rounds"],
            "left": summary["left"], "refused": len(summary["refused"]), "cpu_s": float(total.sum()),
            "pair_s": float(total[2:].sum()) / max(1, compared), "first_s": float(total[:2].sum()),
        } | model  # fmt: skip


def _merge_by(data: Path, out: Path, count: int) -> None:
    """Merges with so many processes."""
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


def _merge(data: Path, out: Path | None) -> Row:
    return merge_fleet(data, out, MergeSetting(LaserModel(), ENCODER, laser_config()), lambda what: None)


def _maps(summary: Row, out: Path, truths: dict[float, Array], built: dict[str, int]) -> Iterator[Row]:
    for each in summary["maps"]:
        table, _ = _read(out / each["file"])
        truth = np.array([truths[stamp] for stamp in table.numbers["created"].tolist()])
        row: Row = {"what": "map", "places": len(truth), "robots": len(each["robots"]), "file": each["file"]}
        if len(truth) > 2 and len({built[robot] for robot in each["robots"]}) == 1:
            off = aligned_error(table.poses, truth)
            error = {"error_p50_m": float(np.median(off)), "error_max_m": float(off.max())}
            row |= error | {"off": int((off > 0.5).sum())}
        yield row


def _read(file: Path) -> Any:
    """Places and edges of a memory."""
    store = Store(file, ENCODER, LaserModel.spec.latent_dim, read_only=True)
    found = store.read()
    store.close()
    return found


def _content(file: Path) -> tuple[bytes, ...]:
    """Places and ways of a memory, to the last bit."""
    table, edges = _read(file)
    return table.poses.tobytes(), table.latents.tobytes(), table.numbers.tobytes(), edges.tobytes()
