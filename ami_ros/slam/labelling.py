"""Labels that several robots gave: each is at one place, and all robots agree on which."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ami_ros.places.origins import is_own
from ami_ros.places.place_map import PlaceMap
from ami_ros.places.writing import MAX_LABEL
from ami_ros.slam.origin import Origin

Claim = tuple[int, float, str, int]  # visits, negative, and when it was founded [s], its robot, and its id here


def settle_labels(places: PlaceMap, origins: Iterable[Origin], robot: str, spacing: float) -> str:
    """Of different places of one label that keeps it which was passed most, then the oldest; each other one gets the
    name of its robot behind it. So two robots never rename both: what one knows of the other's visits is never more
    than there are.

    Args:
        places: of this robot, which are renamed, too.
        origins: other robots.
        robot: name of this one.
        spacing: [m] from which places are different.

    Returns:
        What was renamed of this robot's own, one line.
    """
    claims = _claims(places, origins, robot)
    wanted = {place_id: "" for place_id in places.labels if not is_own(place_id)}
    for label, claimed in claims.items():
        kept: list[int] = []
        for number, (_, _, name, place_id) in enumerate(sorted(claimed)):
            if any(_apart(places, place_id, other) < spacing for other in kept):
                wanted[place_id] = label if is_own(place_id) else ""
            else:
                wanted[place_id] = label_of(label, name) if number else label
            kept.append(place_id)
    old = {row.id: row for row in places.details.of(list(wanted))}
    changed = [replace(old[i], label=label) for i, label in wanted.items() if label != old[i].label]
    if changed:
        places.rename(changed)
    own = [f"'{old[row.id].label}' is '{row.label}' now" for row in changed if is_own(row.id)]
    return "; ".join(own)


def label_of(label: str, robot: str) -> str:
    """What a place is called that has lost its label to another one."""
    return f"{label[: MAX_LABEL - len(robot) - 1]}@{robot}"


def _claims(places: PlaceMap, origins: Iterable[Origin], robot: str) -> dict[str, list[Claim]]:
    """Who gave each label."""
    found: dict[str, list[Claim]] = {}
    for row in places.details.of([place_id for place_id in places.labels if is_own(place_id)]):
        found.setdefault(row.label, []).append((-row.visits, row.created, robot, row.id))
    for origin in origins:
        for place_id in origin.adopted & origin.rows.keys():
            there, here = origin.rows[place_id], origin.here(place_id)
            if there.label and here in places.index:
                found.setdefault(there.label, []).append((-there.visits, there.created, origin.name, here))
    return found


def _apart(places: PlaceMap, a: int, b: int) -> float:
    index = places.index
    return math.dist(index.poses[index.row(a), :2], index.poses[index.row(b), :2])
