"""Floor plans of the kinds that no model is trained in, by rules that the others do not have."""

from __future__ import annotations

import numpy as np

from ami_ros.ranges import Draw
from ami_ros.simulation.buildings.plans import Link, Plan, snap
from ami_ros.simulation.world import Rectangle


def gallery(draw: Draw) -> Plan:
    """Uneven rows and columns whose cells grow together, each room open to several others, without corridors."""
    columns, rows = draw.count("columns"), draw.count("rows")
    xs = np.concatenate([[0.0], np.cumsum([snap(draw.number("column")) for _ in range(columns)])])
    ys = np.concatenate([[0.0], np.cumsum([snap(draw.number("row")) for _ in range(rows)])])
    taken, plan = np.full((columns, rows), -1), Plan([])
    for i in range(columns):
        for j in range(rows):
            if taken[i, j] < 0:
                right, up = _grown(draw, taken, i, j)
                use = draw.choice("uses")
                taken[i:right, j:up] = plan.add(use, xs[i], ys[j], xs[right], ys[up])
    plan.connect(draw, draw["loops"])
    for pair in list(plan.links):
        kind: Link = "wide" if draw.chance("wide") else "door"
        plan.link(*pair, kind)
    return plan


def _grown(draw: Draw, taken: np.ndarray, i: int, j: int) -> tuple[int, int]:
    """The cell (i, j), or two or three of them in a line; the first column and row that are no longer of it."""
    right, up = i + 1, j + 1
    while right < len(taken) and taken[right, j] < 0 and right - i < 3 and draw.chance("merge"):
        right += 1
    if right == i + 1:
        while up < taken.shape[1] and taken[i, up] < 0 and up - j < 2 and draw.chance("merge"):
            up += 1
    return right, up


def hotel(draw: Draw) -> Plan:
    """Bands from the street to the yard: lobby, then corridors like a comb, with rooms on both sides of each tooth."""
    plan, corridor = Plan([]), snap(draw.number("corridor"))
    depth, pitch = snap(draw.number("depth")), snap(draw.number("width"))
    teeth, each = draw.count("teeth"), draw.count("each")
    tooth, lobby = 2 * depth + corridor, snap(draw.number("lobby"))
    spine = snap(draw.number("spine"))
    whole = teeth * tooth
    middle = plan.add("corridor", 0, lobby, whole, lobby + spine)
    split = snap(whole * draw.rng.uniform(0.4, 0.7))
    for use, area in (("lobby", (0.0, 0.0, split, lobby)), ("dining", (split, 0.0, whole, lobby))):
        number = plan.add(use, *area)
        plan.link(middle, number, "wide" if use == "lobby" else "door")
    for index in range(teeth):
        x, y = index * tooth, lobby + spine
        way = plan.add("corridor", x + depth, y, x + depth + corridor, y + each * pitch)
        plan.link(middle, way, "open")
        for row in range(each):
            for left in (x, x + depth + corridor):
                room: Rectangle = (left, y + row * pitch, left + depth, y + (row + 1) * pitch)
                plan.link(way, plan.add("guest", *room), "door")
    plan.connect(draw, draw["loops"])
    return plan
