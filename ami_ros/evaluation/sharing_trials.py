"""Two robots of one building share what they remember over a bad network: how soon both have all, how much of it each
takes into its own map, where that lies, and whether the map of a third robot, from another building, stays out.

The robots have a laser and no camera, so a drive takes seconds. Each begins where it was put, with drifting odometry,
and with a map in a frame of its own. Nobody tells one where the other is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.evaluation.log_bench import WRONG, driven_log, laser_config
from ami_ros.evaluation.lossy_network import LossyNetwork
from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.learning.carmen import CarmenLog
from ami_ros.places.copies import Copies
from ami_ros.places.exchange import Exchange, SharingConfig
from ami_ros.places.laser_model import ENCODER, LaserModel
from ami_ros.places.origins import is_own, key_of
from ami_ros.places.row_set import OwnRows
from ami_ros.registration import register
from ami_ros.slam.place_memory import PlaceMemory

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
