"""When commands end at an obstacle: labels for the collision head, from scan and odometry alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import TRANSLATION
from ami_ros.geometry import Array
from ami_ros.scan import Mount, Scan

TOLD = 0.06  # [m] that the robot was told to move during a chunk, from which on standing is a sign
MIDDLE = Mount()
FOLLOWED = 0.25  # of that, below which it stood
FAR = 1.5  # [m], from where on nothing matters to one chunk


def nearest_after(scans: NDArray[np.float32], motions: Array, mount: Mount = MIDDLE) -> Array:
    """How near anything in scans lies after the robot has moved.

    Args:
        scans: (k, beams) [m] over the full circle from straight ahead to the left, inf where nothing returned.
        motions: (k, 3) of the robot since [m, m, rad].
        mount: where the scanner sits.

    Returns:
        (k,) distance from base_link [m], at most `FAR`.
    """
    beams = mount.in_base(Scan(scans[:1].ravel(), 0.0, 2 * np.pi / scans.shape[1]))
    ranges = np.where((scans > 0) & (scans < FAR + 1.0), scans, 1e3)
    x = ranges * np.cos(beams.angles) + beams.origin[0] - motions[:, :1]
    y = ranges * np.sin(beams.angles) + beams.origin[1] - motions[:, 1:2]
    return np.asarray(np.sqrt((x**2 + y**2).min(1)).clip(max=FAR), np.float64)


def stood(
    commands: NDArray[np.float32], before: NDArray[np.float32], motions: Array, period: float
) -> NDArray[np.bool_]:
    """Whether the robot stood although it was told to move.

    Wheels follow late, so a robot was told to move only if it was, with and without the last command.

    Args:
        commands: (k, chunk, 2 or 3), see `ami_ros.commands`.
        before: (k, 2 or 3) the command in force before.
        motions: (k, 3) by odometry [m, m, rad].
        period: [s] of each command.
    """
    now = commands[..., TRANSLATION].sum(1) * period  # (k, 1 or 2): ahead, and to the left
    late = (before[:, TRANSLATION] + commands[:, :-1, TRANSLATION].sum(1)) * period
    same_way = (now * late).sum(1) > 0
    told = np.where(same_way, np.minimum(np.linalg.norm(now, axis=1), np.linalg.norm(late, axis=1)), 0.0)
    moved = np.linalg.norm(motions[:, : now.shape[1]], axis=1)
    return np.asarray((told > TOLD) & (moved < FOLLOWED * told))


def bumped(
    commands: NDArray[np.float32],
    before: NDArray[np.float32],
    motions: Array,
    scans: NDArray[np.float32],
    period: float,
    clearance: float,
    mount: Mount = MIDDLE,
) -> NDArray[np.bool_]:
    """Whether chunks that were driven ended with anything nearer than `clearance` [m], or standing (k,).

    Args:
        commands: (k, chunk, 2 or 3), see `ami_ros.commands`.
        before: (k, 2 or 3) the command in force before.
        motions: (k, 3) by odometry [m, m, rad].
        scans: (k, beams) [m] at the end; (k, 0) without a scanner.
        period: [s] of each command.
        clearance: [m] from base_link.
        mount: where the scanner sits.
    """
    still = stood(commands, before, motions, period)
    if not scans.shape[1]:
        return still
    return np.asarray(still | (nearest_after(scans, np.zeros_like(motions), mount) < clearance))


def any_commands(count: int, chunk: int, rng: np.random.Generator, width: int = 2) -> NDArray[np.float32]:
    """Random commands (count, chunk, width) in [-1, 1] of the maxima that change little within a chunk, as plans do."""
    held = rng.uniform(-1, 1, (count, 1, width)) + 0.2 * rng.standard_normal((count, chunk, width))
    return held.clip(-1, 1).astype(np.float32)
