"""Two memories become one: where they know the same surroundings, their maps are laid over each other and joined."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, agreeing, compose, inverse, register, relative
from ami_ros.memory.files import adopt_rows, open_other
from ami_ros.memory.index import cluster, match
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.types import Code, Edge, PlaceRow


@dataclass(frozen=True)
class MergeEvidence:
    """What two maps must have in common to be laid over each other."""

    compared: int = 400  # places of the other memory that are looked for in this one
    recognised: float = 0.3  # weight of the best hypothesis from which a place counts as found
    least_agreeing: int = 8  # places ...
    share_agreeing: float = 0.6  # ... and share of those found, that must agree about where the other map lies


EVIDENCE = MergeEvidence()


@dataclass(frozen=True)
class MergeLimits:
    """When two places are one, and how many there may be."""

    spacing: float  # [m]
    turn_spacing: float  # [rad]
    max_places: int


@dataclass(frozen=True)
class Merged:
    """What came of a merge."""

    added: int  # places that are new
    joined: int  # places of the other that were known here
    ways: int  # that are new


def merge(places: PlaceMap, path: Path, limits: MergeLimits) -> Merged:
    """Adds what is in `path`, another robot's memory of the same encoder; the file stays as it is.

    A label that both use stays where it is here.

    Raises:
        AmiError: what `open_other` does; too little in common (`Code.NOTHING_IN_COMMON`); too many places
            (`Code.MEMORY_FULL`). Nothing was changed then.
    """
    source = open_other(places, path)
    try:
        rows, edges = source.load()
        frame = _frame_of(places, rows, path) if len(places) and rows else np.zeros(3)
        poses = {row.id: compose(frame, row.pose) for row in rows}
        here = {row.id: _known(places, poses[row.id], limits) for row in rows}
        new = [row for row in rows if not here[row.id]]
        if len(places) + len(new) > limits.max_places:
            raise AmiError(f"memory: both together have more than {limits.max_places} places", Code.MEMORY_FULL)
        known = {i: places.details[j] for i, j in here.items() if j}
        first = places.next_id()
        here |= {row.id: first + k for k, row in enumerate(new)}
        made = [_moved(row, here[row.id], poses[row.id], places) for row in new]
        places.update(_visited(places, [row for row in rows if row.id in known], here))
        # A way leads between the places of the other; where one was known here, it ends a little aside.
        aside = {i: relative(poses[i], row.pose) for i, row in known.items()}
        ways = _ways(places, edges, here, aside)
        adopt_rows(places, made, ways, source, [row.id for row in new])
        places.store.flush()
        return Merged(len(made), len(known), len(ways))
    finally:
        source.close()


def _frame_of(places: PlaceMap, rows: list[PlaceRow], path: Path) -> Array:
    """Where (3,) the other map lies in this one, by the places that this one recognises."""
    there, here = [], []
    for k in np.linspace(0, len(rows) - 1, min(EVIDENCE.compared, len(rows))).astype(int):
        matches = match(places.index, rows[k].latent)
        found = cluster(matches)
        if found and found[0].share * matches.weights.sum() > EVIDENCE.recognised:
            there.append(rows[k].pose)
            here.append(found[0].pose)
    believed, true = np.array(there).reshape(-1, 3), np.array(here).reshape(-1, 3)
    frame = register(believed, true)
    count = int(agreeing(frame, believed, true).sum()) if frame is not None else 0
    if frame is None or count < max(EVIDENCE.least_agreeing, EVIDENCE.share_agreeing * len(believed)):
        raise AmiError(
            f"memory: {path.name} has too little in common with what is remembered: of {len(believed)} places that "
            f"look known, {count} agree; let the robot drive where the other has been, and merge then",
            Code.NOTHING_IN_COMMON,
        )
    return frame


def _known(places: PlaceMap, pose: Array, limits: MergeLimits) -> int:
    """The place that stands where `pose` (3,) is; 0 if there is none."""
    place_id, distance, turn = places.nearest(pose, limits.spacing, limits.turn_spacing)
    return place_id if distance < limits.spacing and turn < limits.turn_spacing else 0


def _moved(row: PlaceRow, place_id: int, pose: Array, places: PlaceMap) -> PlaceRow:
    """A place of the other as it is here."""
    label = "" if places.labelled(row.label) else row.label
    return replace(row, id=place_id, pose=pose, label=label, episode=row.episode + places.episode)


def _visited(places: PlaceMap, rows: list[PlaceRow], here: dict[int, int]) -> list[PlaceRow]:
    """Places that both know, with what the other knows of them."""
    changed: dict[int, PlaceRow] = {}
    for row in rows:
        old = changed.get(here[row.id], places.details[here[row.id]])
        label = row.label if row.label and not old.label and not places.labelled(row.label) else old.label
        changed[old.id] = replace(
            old,
            visits=old.visits + row.visits,
            created=min(old.created, row.created),
            last_seen=max(old.last_seen, row.last_seen),
            label=label,
            note=old.note or row.note,
        )
    return list(changed.values())


def _ways(places: PlaceMap, edges: list[Edge], here: dict[int, int], aside: dict[int, Array]) -> list[Edge]:
    """Ways of the other between places of here, where none is known yet."""
    made: dict[tuple[int, int], Edge] = {}
    for edge in edges:
        key = here[edge.start], here[edge.stop]
        if key[0] == key[1] or key in made or key in places.graph.edges:
            continue
        step = compose(inverse(aside.get(edge.start, np.zeros(3))), edge.relative)
        step = compose(step, aside.get(edge.stop, np.zeros(3)))
        made[key] = replace(edge, start=key[0], stop=key[1], relative=step)
    return list(made.values())
