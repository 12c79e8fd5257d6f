"""The memories of a fleet become one map for each building: a job of any number of processes (`SharedTasks`).

First every memory of the data set becomes one map, or several where no way links its parts. A first look says which may
have something in common (`Groups`). Then, round by round, pairs of maps are laid over each other as a robot does that
takes in what another remembers (`Joiner`); what has been joined is one map from then on, with ids of its own. No map is
in two pairs of a round, so all can be joined at once; which pairs these are depends on results alone. So it does not
matter which process does what, and the result is the same for any number of them.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ami_ros.core.errors import AmiError
from ami_ros.memory.files import SUFFIX, batches
from ami_ros.memory.fleet.dataset import Snapshot
from ami_ros.memory.fleet.likeness import Groups, ties
from ami_ros.memory.fleet.shared_tasks import ABANDONED, Result, SharedTasks
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.replacing import written_beside
from ami_ros.memory.sharing.joining import label_of
from ami_ros.memory.sharing.replica import makes_sense
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, PlaceRow, is_own, key_of
from ami_ros.world_model.model_files import write_atomically

FOLDER, SUMMARY = "merged", "merged"  # what a job writes beside the data set; what came of it, as a task and as a file
TOGETHER = 5000, 50  # places, and robots, whose memories one task reads

Rows = list[PlaceRow]
Whole = Callable[[Rows], Rows]


@dataclass(frozen=True)
class MergeSetting:
    """How memories are merged."""

    model: Any  # of the memories
    encoder_id: str  # of its latents; memories of others are refused
    config: MemoryConfig = field(default_factory=MemoryConfig)  # what a robot may have is in a merged memory, too
    abandoned: float = ABANDONED  # see `SharedTasks`


@dataclass(frozen=True)
class Map:
    """One that may be a part of another."""

    path: Path
    robots: tuple[str, ...]  # whose memories are in it; it began with that of the first one
    places: int
    labels: dict[str, str]  # which robot gave each


def merge_fleet(folder: Path, out: Path | None, setting: MergeSetting, report: Callable[[str], None]) -> Result:
    """Merges the memories of a data set; other processes that are told to do the same share the work.

    Args:
        folder: of the data set. What is under way lies in it, too, so that a job goes on that was killed.
        out: folder for the maps, each an ordinary memory; None: another process writes them.
        setting: see there; the same in all processes.
        report: is told what is going on.

    Returns:
        `maps`: of each, the largest first, `file`, `robots` and `places`; `refused`: why, by the names of robots;
        `failed`: pairs that could not be compared, and why; `joins` and `searches`: how many pairs were joined, and
        how many stay apart; `rounds` of pairs; `left`: places that found no room; `steps`: CPU time of the tasks of
        each step, one after another, all together and of the longest [s].

    Raises:
        AmiError: no data set, none that can be read, or nothing can be written.
    """
    try:
        job, versions = _job(folder, setting.encoder_id)
        tasks = SharedTasks(job, setting.abandoned)
        maps, told = _merged(tasks, Snapshot(folder, versions), setting, report)
        found = sorted(maps, key=lambda each: (-each.places, each.robots))
        names = _names(found)
        summary = {
            "maps": [
                {"file": name, "robots": sorted(set(each.robots)), "places": each.places}
                for name, each in zip(names, found, strict=True)
            ]
        } | told
        tasks.run({SUMMARY: lambda: summary})
        if out is not None:
            _write(out, {name: each.path for name, each in zip(names, found, strict=True)}, summary)
            _tidy(job, {each.path for each in found})
        return summary
    except OSError as error:
        raise AmiError(f"fleet merge: {error.filename or folder}: {error.strerror or error}") from error


def _job(folder: Path, encoder_id: str) -> tuple[Path, list[int]]:
    """The folder of the job that all processes are at, and the versions of the tables that it is about: the last one
    unless it is done and robots have sent more since, or what it was about is no more."""
    newest, root = Snapshot(folder).versions, folder / FOLDER
    root.mkdir(exist_ok=True)
    while True:
        jobs = sorted(root.glob("*.json"))
        if jobs:
            last, job = json.loads(jobs[-1].read_text(encoding="utf-8")), jobs[-1].with_suffix("")
            is_done = (job / f"{SUMMARY}.json").exists()
            if last["encoder_id"] == encoder_id and (
                last["versions"] == newest if is_done else _is_there(folder, last)
            ):
                return job, last["versions"]
        number = int(jobs[-1].stem) + 1 if jobs else 1
        begun = root / f".begun-{os.getpid()}-{time.time_ns()}"
        write_atomically(begun, json.dumps({"versions": newest, "encoder_id": encoder_id}).encode())
        try:
            os.link(begun, root / f"{number:06}.json")  # of several processes one begins
        except FileExistsError:
            pass
        finally:
            begun.unlink()


def _is_there(folder: Path, job: Result) -> bool:
    try:
        Snapshot(folder, job["versions"])
    except AmiError:
        return False
    return True


def _merged(
    tasks: SharedTasks, source: Snapshot, setting: MergeSetting, report: Callable[[str], None]
) -> tuple[list[Map], Result]:
    """The maps, and what else there is to tell."""
    robots, steps = source.robots(), list[tuple[float, float]]()

    def run(wanted: dict[str, Callable[[], Result]]) -> list[Result]:
        found = [*tasks.run({name: partial(_timed, task) for name, task in wanted.items()}).values()]
        took = [result["seconds"] for result in found]
        steps.append((round(sum(took), 3), max(took, default=0.0)))
        return found

    report(f"reading the memories of {len(robots)} robots")
    read = run(
        {f"read-{n:04}": partial(_read, source, names, tasks.folder / f"read-{n:04}", setting)
         for n, names in enumerate(_shares(robots))}
    )  # fmt: skip
    first = [
        Map(tasks.folder / name, (robot,), places, dict.fromkeys(labels, robot))
        for part in read
        for name, robot, places, labels in part["maps"]
    ]
    (alike,) = run({"alike": partial(_alike, first, setting)})
    groups, maps = Groups(len(first), [(a, b, value) for a, b, value in alike["ties"]]), dict(enumerate(first))
    counts, failed = {"joins": 0, "searches": 0, "rounds": 0, "left": 0}, list[str]()
    while pairs := groups.pairs():
        report(f"round {counts['rounds'] + 1}: {len(maps)} maps, {len(pairs)} pairs to compare")
        names = [f"{counts['rounds']:04}-{number:04}" for number in range(len(pairs))]
        ordered = [sorted(pair, key=lambda k: -maps[k].places) for pair in pairs]
        results = run(
            {name: partial(_join, maps[a], maps[b], tasks.folder / f"{name}{SUFFIX}", setting)
             for name, (a, b) in zip(names, ordered, strict=True)}
        )  # fmt: skip
        for name, pair, (a, b), result in zip(names, pairs, ordered, results, strict=True):
            if result["places"]:
                robots_of = maps[a].robots + maps[b].robots
                groups.join(*pair)
                del maps[pair[1]]
                maps[pair[0]] = Map(tasks.folder / f"{name}{SUFFIX}", robots_of, result["places"], result["labels"])
            else:
                groups.part(*pair)
            counts["joins" if result["places"] else "searches"] += 1
            counts["left"] += result["left"]
            if "failed" in result:
                failed.append(f"{maps[a].robots[0]} and {maps[b].robots[0]}: {result['failed']}")
        counts["rounds"] += 1
    refused = {robot: why for part in read for robot, why in part["refused"].items()}
    return [*maps.values()], {"refused": refused, "failed": failed} | counts | {"steps": steps}


def _timed(task: Callable[[], Result]) -> Result:
    began = time.process_time()
    return task() | {"seconds": round(time.process_time() - began, 3)}


def _shares(robots: dict[str, tuple[str, int]]) -> Iterator[list[str]]:
    """Robots whose memories are read together."""
    share, places = list[str](), 0
    for robot, (_, count) in robots.items():
        if share and (places + count > TOGETHER[0] or len(share) == TOGETHER[1]):
            yield share
            share, places = [], 0
        share.append(robot)
        places += count
    if share:
        yield share


# Tasks


def _read(source: Snapshot, names: Sequence[str], path: Path, setting: MergeSetting) -> Result:
    """Writes the maps of some robots; of each map its file, its robot, how many places it has, and its labels."""
    made, refused, known = list[tuple[str, str, int, list[str]]](), dict[str, str](), source.robots()
    dim = setting.model.spec.latent_dim
    for robot, rows, edges in source.memories(names):
        encoder_id = known[robot][0]
        if encoder_id != setting.encoder_id:
            refused[robot] = f"its memory belongs to the encoder {encoder_id}, the model is {setting.encoder_id}"
            continue
        try:
            edges = [edge for edge in edges if makes_sense(edge)]
            for part in _parts(rows, edges):
                file = path.with_name(f"{path.name}-{len(made)}{SUFFIX}")
                write_map(file, setting.encoder_id, dim, part, edges)
                made.append((file.name, robot, len(part), [row.label for row in part if row.label]))
        except AmiError as error:
            made = [each for each in made if each[1] != robot]
            refused[robot] = str(error)
    return {"maps": made, "refused": refused}


def _parts(rows: Rows, edges: Iterable[Edge]) -> list[Rows]:
    """Places that ways link with each other: nobody knows where those of two parts lie as seen from each other."""
    at = {row.id: k for k, row in enumerate(rows)}
    ends = np.array([(at[e.start], at[e.stop]) for e in edges if e.start in at and e.stop in at], np.int64)
    start, stop = ends.reshape(-1, 2).T
    count, of = connected_components(csr_matrix((np.ones(len(start)), (start, stop)), (len(rows), len(rows))), False)
    return [[rows[k] for k in np.flatnonzero(of == number)] for number in range(count)]


def write_map(
    path: Path, encoder_id: str, latent_dim: int, rows: Rows, edges: Iterable[Edge], whole: Whole = list
) -> None:
    """Writes places and the ways between them as a memory whose robot has founded all of them.

    Args:
        path: of the file.
        encoder_id, latent_dim: as of `Store`.
        rows: of places, by any ids.
        edges: those that lead elsewhere are left out.
        whole: gives some of the rows with pictures and experience.

    Raises:
        AmiError: what is in them is no memory, or it cannot be written.
    """
    ids = {row.id: number for number, row in enumerate(rows, 1)}
    episodes = {episode: number for number, episode in enumerate(sorted({row.episode for row in rows}), 1)}
    labels = set[str]()
    with written_beside(path, overwrite=True) as new:
        store = Store(new, encoder_id, latent_dim)
        try:
            for batch in batches(rows):
                made = list[PlaceRow]()
                for row in whole(batch):
                    label = "" if row.label in labels else row.label  # two robots gave it to one place
                    labels.add(label)
                    made.append(replace(row, id=ids[row.id], label=label, episode=episodes[row.episode]))
                store.put_places(made)
                store.wait()
            inside = (edge for edge in edges if edge.start in ids and edge.stop in ids)
            store.put_edges(replace(edge, start=ids[edge.start], stop=ids[edge.stop]) for edge in inside)
            store.flush()
        finally:
            store.close()


def _alike(maps: Sequence[Map], setting: MergeSetting) -> Result:
    """Which maps look alike; see `likeness.ties`."""
    latents = []
    for each in maps:
        store = Store(each.path, setting.encoder_id, setting.model.spec.latent_dim, read_only=True)
        latents.append(store.read()[0].latents)
        store.close()
    return {"ties": ties(latents)}


def _join(host: Map, guest: Map, path: Path, setting: MergeSetting) -> Result:
    """Looks for a map in another one; what both are together goes to `path`. No places: they stay apart."""
    try:
        return _joined(host, guest, path, setting)
    except (AmiError, ArithmeticError, ValueError) as error:  # whatever is in one memory, the rest goes on
        return {"places": 0, "left": 0, "failed": str(error) or type(error).__name__}


def _joined(host: Map, guest: Map, path: Path, setting: MergeSetting) -> Result:
    memory = PlaceMemory.copy_of(setting.model, setting.encoder_id, host.path, setting.config)
    try:
        name, other = host.robots[0], guest.robots[0]
        while key_of(other) == key_of(name):  # two parts of what one robot remembers, or a rare chance
            other += "+"
        memory.share_as(name)
        joined = memory.join(other, guest.path)
        if not joined.taken + joined.known:
            return {"places": 0, "left": 0}
        places, labels = memory.map, dict[str, str]()
        places.store.wait()

        def whole(rows: Rows) -> Rows:
            known = places.store.experience([row.id for row in rows])
            return [replace(row, thumbnail=places.thumbnail(row.id), experience=known.get(row.id)) for row in rows]

        rows = [_signed(row, *((host, name) if is_own(row.id) else (guest, other)), labels)
                for row in places.details.values()]  # fmt: skip
        write_map(path, setting.encoder_id, places.latent_dim, rows, places.graph.edges.values(), whole)
        return {"places": len(rows), "left": joined.left, "labels": labels}
    finally:
        memory.close()


def _signed(row: PlaceRow, of: Map, called: str, labels: dict[str, str]) -> PlaceRow:
    """A place of a map that went by some name when labels were settled (`settle_labels`): one that has lost its label
    to another gets the name of the robot that gave it, which `labels` is told."""
    for label, robot in of.labels.items():
        if row.label in (label, label_of(label, called)):
            row = row if row.label == label else replace(row, label=label_of(label, robot))
            labels[row.label] = robot
            break
    return row


# What came of it


def _names(maps: Sequence[Map]) -> list[str]:
    """Of files: each is called after the robot that comes first in the alphabet, so that it keeps its name when more
    robots come, as long as it can."""
    names = list[str]()
    for each in maps:
        name, number = min(each.robots), 1
        while (file := f"{name}{f'-{number}' if number > 1 else ''}{SUFFIX}") in names:
            number += 1
        names.append(file)
    return names


def _write(out: Path, files: dict[str, Path], summary: Result) -> None:
    """Writes maps in the place of those of an earlier job, and the summary."""
    out.mkdir(parents=True, exist_ok=True)
    told = out / f"{SUMMARY}.json"
    earlier = (
        {each["file"] for each in json.loads(told.read_text(encoding="utf-8"))["maps"]} if told.exists() else set()
    )
    for name, path in files.items():
        with written_beside(out / name, overwrite=name in earlier) as new:
            shutil.copyfile(path, new)
    write_atomically(told, json.dumps(summary, indent=1).encode())
    for name in earlier - files.keys():
        (out / name).unlink(missing_ok=True)


def _tidy(job: Path, kept: set[Path]) -> None:
    """Erases what was under way, and earlier jobs."""
    for file in job.glob(f"*{SUFFIX}*"):  # SQLite leaves some beside it
        if file not in kept:
            file.unlink(missing_ok=True)
    for other in job.parent.glob("*.json"):
        if other.with_suffix("") != job:
            shutil.rmtree(other.with_suffix(""), ignore_errors=True)
            other.unlink(missing_ok=True)
