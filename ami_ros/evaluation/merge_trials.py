"""The memories of a fleet are merged: whether each building becomes one map and no two do, where places lie in it, and
how long that takes with one process and with several.

The robots have a laser and no camera, so a drive takes seconds. Each drive is cut into parts. Each part is the memory
of a robot of its own, which knows nothing of the others, with a map in a frame of its own and its own drift.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.log_bench import aligned_error, driven_log, laser_config
from ami_ros.geometry import Array, relative
from ami_ros.places.fleet import compact, export_memory
from ami_ros.places.laser_model import ENCODER, LaserModel
from ami_ros.places.store import Store
from ami_ros.slam.fleet_merge import FOLDER, MergeSetting, merge_fleet
from ami_ros.slam.place_memory import PlaceMemory

Row = dict[str, Any]
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
    truths, built = _remember(fleet, data, scratch, report)
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


def _remember(
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
