"""Small buildings as a laser sees them, drives through them, and logs in CARMEN's format."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan

BEAMS = 181  # a degree apart, from the right to the left
FARTHEST = 30.0  # [m]


def box(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float, float, float]]:
    """The four walls of a rectangle."""
    return [(x0, y0, x1, y0), (x1, y0, x1, y1), (x1, y1, x0, y1), (x0, y1, x0, y0)]


# A corridor 2 m wide around a block, with alcoves and pillars that differ from side to side.
RING = np.array(
    [
        *box(0, 0, 16, 12),
        *box(2, 2, 14, 10),
        *box(4, 0, 4.6, 0.5),
        *box(9, 0, 10.5, 0.4),
        *box(15.5, 4, 16, 4.8),
        *box(15.3, 8, 16, 8.4),
        *box(11.0, 11.6, 12.0, 12),
        *box(6, 11.5, 6.4, 12),
        *box(0, 3.5, 0.5, 5.0),
        *box(0, 8.0, 0.3, 8.6),
    ]
)
CORRIDOR = np.array([(-60.0, -1.0, 60.0, -1.0), (-60.0, 1.0, 60.0, 1.0)])  # nothing tells where along it one is


def scan_at(walls: Array, pose: Array, rng: np.random.Generator | None = None) -> Scan:
    """What a laser that looks ahead sees of walls (k, 4), from x, y to x, y [m]."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, BEAMS)
    ahead = np.stack([np.cos(angles + pose[2]), np.sin(angles + pose[2])], 1)[:, None]
    start, along = walls[None, :, :2] - pose[:2], (walls[:, 2:] - walls[:, :2])[None]
    across = ahead[..., 0] * along[..., 1] - ahead[..., 1] * along[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (start[..., 0] * along[..., 1] - start[..., 1] * along[..., 0]) / across
        share = (start[..., 0] * ahead[..., 1] - start[..., 1] * ahead[..., 0]) / across
    hit = (distance > 0) & (share >= 0) & (share <= 1)
    ranges = np.where(hit, distance, np.inf).min(axis=1)
    if rng is not None:
        ranges = ranges + rng.normal(0.0, 0.01, BEAMS)
    ranges = np.where(ranges < FARTHEST, ranges, np.inf).astype(np.float32)
    return Scan(ranges, -np.pi / 2, np.pi / (BEAMS - 1), max_range=FARTHEST)


def driven(corners: Array, step: float = 0.6) -> Array:
    """Poses (n, 3) along straight lines between corners (k, 2), turning at each."""
    poses: list[Array] = []
    for a, b in zip(corners[:-1], corners[1:], strict=True):
        length, yaw = float(np.hypot(*(b - a))), float(np.arctan2(*(b - a)[::-1]))
        if poses:
            turn = (yaw - poses[-1][2] + np.pi) % (2 * np.pi) - np.pi
            poses += [np.array([*a, poses[-1][2] + turn * k / 5]) for k in range(1, 5)]
        poses += [np.array([*(a + (b - a) * d / length), yaw]) for d in np.arange(0.0, length, step)]
    return np.array(poses)


def around(rounds: float, back: bool = False) -> Array:
    """A drive through RING's corridor."""
    corners = [(1.0, 1.0), (15.0, 1.0), (15.0, 11.0), (1.0, 11.0)]
    corners = [corners[k % 4] for k in range(round(4 * rounds) + 1)]
    return driven(np.array([*corners, *corners[-2::-1]] if back else corners))


def write_log(path: Path, walls: Array, poses: Array, extra: str = "") -> Path:
    """A log of FLASER and ODOM lines, packed if it is called so; `extra` comes behind them."""
    rng, lines = np.random.default_rng(0), ["# made for a test"]
    for k, pose in enumerate(poses):
        ranges = np.where(np.isfinite(r := scan_at(walls, pose, rng).ranges), r, 81.9)
        where, stamp = " ".join(f"{v:.5f}" for v in pose), 0.2 * k
        lines.append(f"ODOM {where} 0.4 0.0 0.0 {stamp:.3f} robot {stamp:.3f}")
        beams = " ".join(f"{v:.3f}" for v in ranges)
        lines.append(f"FLASER {BEAMS} {beams} {where} {where} {stamp:.3f} robot {stamp:.3f}")
    text = "\n".join(lines) + f"\n{extra}"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path
