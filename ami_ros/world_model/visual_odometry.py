"""How far a camera turned between two pictures, by points that both show, where odometry tells how far it drove.

Wheels tell a short way well and a turn badly: what they err by grows with each turn around (Borenstein and Feng,
"Measurement and correction of systematic odometry errors in mobile robots", 1996). A picture tells a turn well and a
way badly, for it does not know how far off things are (Scaramuzza and Fraundorfer, "Visual odometry", 2011). So each
point gives the turn by itself, given the way; what things that move, and wrong matches, say is outvoted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ami_ros.geometry import Array, wrap

LEAST, SHARE = 5, 0.3  # points, and share of all, that agree at least
AGREE = 2.5  # standard deviations within which points agree
TRUSTED = 3.0  # likewise of what odometry says: a point farther off was matched wrongly
REFINED = 3  # times that it is looked which points agree, and what they say
ALIKE = 0.5  # of its deviation that a point has in common with the others: a camera's angles are all off alike


class Turn(NamedTuple):
    """Of the robot, from the moment of one picture to that of another."""

    angle: float  # [rad], to the left
    deviation: float  # [rad] standard deviation


class Sighting(NamedTuple):
    """Points that two pictures show, from where the camera was at each."""

    before: Array  # (n,) [rad] bearing in the first picture, to the left
    after: Array  # (n,) likewise in the second
    away: Array  # (n,) [m] from the first camera in the plane of the floor
    log_sigma: Array  # (n,) standard deviation of its logarithm


def turn(points: Sighting, way: Array, expected: Turn, pixel: float) -> Turn | None:
    """How far the camera turned; None: too few points agree.

    Args:
        points: of both pictures.
        way: (2,) [m] that the camera moved ahead and to the left, as seen from where it was first.
        expected: by odometry.
        pixel: [rad] standard deviation of a bearing.
    """
    directions = np.column_stack([np.cos(points.before), np.sin(points.before)])
    seen = points.away[:, None] * directions - way
    off = wrap(np.arctan2(seen[:, 1], seen[:, 0]) - points.after - expected.angle)
    # A point that is farther off than thought changes its bearing less.
    across = directions[:, 0] * way[1] - directions[:, 1] * way[0]
    sigma = np.hypot(np.sqrt(2.0) * pixel, across / points.away * points.log_sigma)
    likely = np.flatnonzero(np.abs(off) < TRUSTED * np.hypot(expected.deviation, sigma))
    if len(likely) < LEAST:
        return None
    near = np.abs(off[likely, None] - off[likely]) < AGREE * np.hypot(sigma[likely, None], sigma[likely])
    centre = off[likely[near.sum(1).argmax()]]
    weights = 1.0 / np.square(sigma)
    for _ in range(REFINED):
        agree = np.abs(off - centre) < AGREE * sigma
        if agree.sum() < max(LEAST, SHARE * len(off)):
            return None
        centre = weights[agree] @ off[agree] / weights[agree].sum()
    deviation = np.hypot(weights[agree].sum() ** -0.5, ALIKE * pixel)
    return Turn(expected.angle + float(centre), float(deviation))
