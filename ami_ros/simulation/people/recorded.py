"""People who walked before a camera: their recorded ways, and a world of the ground that they walked on.

A file has rows of frame, id, x, z, y and velocities [m, m/s], as OpenTraj keeps ETH (Pellegrini et al., "You'll never
walk alone", ICCV 2009) and UCY (Lerner et al., "Crowds by example", Eurographics 2007), or of frame, id, x, y. It may
be compressed by gzip.
"""

from __future__ import annotations

import copy
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, wrap
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.people.walkers import RobotDisc, Walking
from ami_ros.simulation.world import MOST_PEOPLE, RECORDED, Furniture, Light, People, Room, Texture, Wall, World

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator


PERIOD = 0.4  # between two frames in which everybody was annotated [s]: both data sets have 2.5 a second


@dataclass(frozen=True)
class Track:
    """One person: from when to when [s], and where at each moment."""

    begin: float
    end: float
    way: PchipInterpolator  # of time [s]: (2,) in the world's frame [m]


@dataclass(frozen=True)
class Recording:
    """What a file holds: tracks in the order in which they begin, and the `size` of their ground [m]."""

    tracks: tuple[Track, ...]
    size: tuple[float, float]
    points: Array  # (n, 2) where anybody was [m]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return max(track.end for track in self.tracks)


@cache
def load_recording(path: str) -> Recording:
    """Reads a file.

    Raises:
        AmiError: it cannot be read, or is no such table.
    """
    from scipy.interpolate import PchipInterpolator  # 20 MB, which worlds without a recording do without

    rows = _rows(Path(path))
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1]))]
    frames, ids, points = rows[:, 0], rows[:, 1].astype(np.int64), rows[:, [2, 4] if rows.shape[1] > 4 else [2, 3]]
    times = (frames - frames.min()) * _seconds_a_frame(rows, points, path)
    border, longest = 1.0, 200.0  # of ground beyond where anybody walked, and of ground to a side [m]
    points = points - points.min(axis=0) + border
    size = points.max(axis=0) + border
    if size.max() > longest:
        raise AmiError(f"{path}: its ground is {size.max():.0f} m long; at most {longest:.0f} m can be simulated")
    tracks = []
    for who in np.unique(ids):
        own, first = np.unique(times[ids == who], return_index=True)
        # An id that is seen again after 4 s is somebody else: nobody saw which way it went.
        for seen in np.split(np.arange(len(own)), np.flatnonzero(np.diff(own) > 4.0) + 1):
            if len(seen) > 1:
                way = PchipInterpolator(own[seen], points[ids == who][first[seen]])
                tracks.append(Track(float(own[seen[0]]), float(own[seen[-1]]), way))
    return Recording(tuple(sorted(tracks, key=lambda t: t.begin)), (float(size[0]), float(size[1])), points)


def _seconds_a_frame(rows: Array, points: Array, path: str) -> float:
    """How long a frame is [s], of `rows` in the order of their ids and frames: PERIOD between most of them, unless
    velocities say otherwise, as where somebody filled in the frames between."""
    passed, same = np.diff(rows[:, 0]), np.diff(rows[:, 1]) == 0
    if not (same & (passed > 0)).any():
        raise AmiError(f"{path}: nobody in it moves: every id has one row")
    values, counts = np.unique(passed[same & (passed > 0)], return_counts=True)
    usual = PERIOD / float(values[counts.argmax()])
    if rows.shape[1] < 8:
        return usual
    speeds = np.hypot(rows[:, 5], rows[:, 7])
    walked, speed = np.hypot(*np.diff(points, axis=0).T), (speeds[1:] + speeds[:-1]) / 2
    counted = same & (passed > 0) & (speed > 0.3) & (walked > 0)  # [m/s] faster than that somebody walks
    if not counted.any():
        return usual
    told = float(np.median(walked[counted] / (speed * passed)[counted]))
    return usual if abs(told / usual - 1) < 0.15 else told  # velocities are smoothed, and differ so much


def _rows(path: Path, most: int = 2_000_000) -> Array:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("ascii")
        rows = np.array([[float(value) for value in line.split()[:8]] for line in text.splitlines() if line.strip()])
    except OSError as error:
        raise AmiError(f"{path}: {error.strerror or 'cannot be unpacked'}") from error
    except (ValueError, EOFError) as error:
        raise AmiError(f"{path}: no table of numbers with columns frame, id, x, z, y: {error}") from error
    if rows.ndim != 2 or rows.shape[1] < 4 or not np.isfinite(rows).all() or len(rows) > most:
        raise AmiError(f"{path}: no table of finite numbers with columns frame, id, x, z, y and up to {most} rows")
    return np.asarray(rows, np.float64)


@dataclass(frozen=True)
class Replay:
    """How a recording is played to a robot that was not there."""

    quiet: float = 1.0  # [s] that nobody is there, before those come who come next
    left: float = 0.2  # [m] of a gap from which the robot has left the way of who walked into it
    stands: float = 1.0  # [s] that they still stand then
    starts: float = 1.0  # [s] until they walk at their own speed again
    appears: float = 2.0  # [m] nearer to the robot nobody begins: before the camera saw them they came from somewhere
    turn: float = Walking.turn  # [rad/s]


class Recorded:
    """Those of a recording, from a moment that the seed draws, over and over again; `poses` and more as in `Walkers`.

    A body is lent to one person after the other. Nobody looks at the robot, and nobody walks through it or pushes it
    along: who walks into it stands until it has left the way, and is late from then on. Times in which nobody is there
    are left out.
    """

    def __init__(
        self, bodies: Sequence[Body], recording: Recording, seed: list[int], config: Replay = Replay()
    ) -> None:
        n = len(bodies)
        self.poses, self.velocities, self.present = np.zeros((n, 3)), np.zeros((n, 2)), np.zeros(n, bool)
        self._recording, self._config = recording, config
        self._radii = np.array([body.radius for body in bodies])
        self._time = float(np.random.default_rng(seed).uniform(0.0, recording.seconds))
        self._late = np.zeros(n)  # [s]
        self._stopped = np.zeros(n)  # for how long yet who walked into the robot stands when it has left [s]
        self._pace = np.ones(n)  # share of their own speed at which they walk
        self._rewind(None)

    def _rewind(self, robot: RobotDisc | None) -> None:
        """Those who are there at this time are there, and nobody else."""
        self._slots: list[int | None] = [None] * len(self._radii)  # the track of each body
        begun = [track.begin < self._time - 1e-9 for track in self._recording.tracks]
        self._next = begun.index(False) if False in begun else len(begun)
        for number in range(self._next):
            if self._recording.tracks[number].end > self._time:
                self._lend(number, robot)
        self._show(0.0)

    def _lend(self, number: int, robot: RobotDisc | None) -> None:
        """A free body plays that person; without one nobody does, nor if they would appear beside the robot."""
        track = self._recording.tracks[number]
        begins = max(self._time, track.begin)
        if None not in self._slots or (robot is not None and self._is_beside(robot, track.way(begins))):
            return
        slot = self._slots.index(None)
        self._slots[slot], self._late[slot], self._stopped[slot], self._pace[slot] = number, 0.0, 0.0, 1.0
        dx, dy = track.way(begins, 1)
        self.poses[slot, 2] = np.arctan2(dy, dx)

    def advance(self, seconds: float, robot: RobotDisc, touching: NDArray[np.bool_]) -> None:
        """They walk on for `seconds` [s]; who is `touching` (n,) the robot and walks towards it stops."""
        tracks, config = self._recording.tracks, self._config
        self._time += seconds
        if not self.present.any():
            comes = tracks[self._next].begin if self._next < len(tracks) else np.inf
            self._time = max(self._time, comes - config.quiet)
        if self._time > self._recording.seconds:
            self._time = 0.0
            self._rewind(robot)
        while self._next < len(tracks) and tracks[self._next].begin <= self._time:
            self._lend(self._next, robot)
            self._next += 1
        self._stopped[touching] = config.stands
        for slot in np.flatnonzero(((self._stopped > 0.0) | (self._pace < 1.0)) & self.present):
            number, line = self._slots[slot], robot.centre - self.poses[slot, :2]
            way = np.zeros(2) if number is None else tracks[number].way(self._time - self._late[slot], 1)
            near = np.hypot(*line) < robot.radius + self._radii[slot] + config.left
            left = float(self._stopped[slot]) - (0.0 if near else seconds)
            self._stopped[slot] = max(0.0, left) if way @ line > 0.0 else 0.0
            self._pace[slot] = 0.0 if self._stopped[slot] else min(1.0, self._pace[slot] + seconds / config.starts)
            self._late[slot] += seconds * (1.0 - self._pace[slot])
        self._show(seconds)

    def _show(self, seconds: float) -> None:
        for slot, number in enumerate(self._slots):
            at = self._time - self._late[slot]
            if number is not None and at > self._recording.tracks[number].end:
                number = self._slots[slot] = None
            was, self.present[slot] = bool(self.present[slot]), number is not None
            if number is None:
                self.velocities[slot] = 0.0
                continue
            point = self._recording.tracks[number].way(at)
            self.velocities[slot] = (point - self.poses[slot, :2]) / seconds if seconds and was else 0.0
            self.poses[slot, :2] = point
            if np.hypot(*self.velocities[slot]) > 0.1:
                way = np.arctan2(self.velocities[slot, 1], self.velocities[slot, 0])
                most = self._config.turn * seconds
                self.poses[slot, 2] += float(np.clip(wrap(way - self.poses[slot, 2]), -most, most))

    def make_room(self, robot: RobotDisc) -> None:
        """Nobody gives way in a recording: who is beside the robot is not there."""
        for slot in np.flatnonzero(self.present):
            if self._is_beside(robot, self.poses[slot, :2]):
                self._slots[slot], self.present[slot], self.velocities[slot] = None, False, 0.0

    def _is_beside(self, robot: RobotDisc, point: Array) -> bool:
        return bool(np.hypot(*(point - robot.centre)) < self._config.appears)

    def ahead_of(self, index: int, distance: float) -> Array:
        """They open no doors."""
        return self.poses[index : index + 1, :2]

    def copied(self) -> Recorded:
        """The same from now on, apart."""
        return copy.deepcopy(self, {id(self._recording): self._recording})


def most_at_once(recording: Recording) -> int:
    """How many people there are at most at any time."""
    times = sorted([(t.begin, 1) for t in recording.tracks] + [(t.end, -1) for t in recording.tracks])
    return min(MOST_PEOPLE, int(np.cumsum([change for _, change in times]).max()))


def ground_of(path: str) -> World:
    """A world of the ground of a recording: where nobody ever came, something stands.

    It is open to the sky, in four quarters that count as rooms, with patterned walls around it and blocks of many
    colours, so that a camera has something to go by.

    Raises:
        AmiError: the file cannot be read.
    """
    recording = load_recording(path)
    width, depth = recording.size
    blocks = _blocks(recording)
    rng = np.random.default_rng(1)
    textures = {"ground": Texture("tiles", ("#9c9a94", "#aaa79f", "#b5b2a8", "#7d7b76"), 2.0, 1)}
    patterns = ("bricks", "stripes", "chevrons", "dots", "wood", "checks", "bands", "noise")
    for number, pattern in enumerate(patterns):
        colors = tuple(_color(rng, 40, 240) for _ in range(3))
        textures[pattern] = Texture(pattern, colors, 1.6, number)  # type: ignore[arg-type]
    rooms = tuple(
        Room(f"{'south' if y == 0 else 'north'}_{'west' if x == 0 else 'east'}",
             (x * width / 2, y * depth / 2, (x + 1) * width / 2, (y + 1) * depth / 2), "ground")
        for y in (0, 1) for x in (0, 1)
    )  # fmt: skip
    return World(
        f"{RECORDED}{path}", recording.size, textures, rooms, tuple(_around(width, depth, patterns)), furniture=blocks,
        lights=tuple(Light((x * width, y * depth, 6.0)) for x in (0.25, 0.75) for y in (0.25, 0.75)),
        people=People(manner=f"{RECORDED}{path}"),
    )  # fmt: skip


def _color(rng: np.random.Generator, low: int, high: int) -> str:
    return "#" + "".join(f"{int(v):02x}" for v in rng.integers(low, high, 3))


def _around(width: float, depth: float, patterns: Sequence[str]) -> list[Wall]:
    """Walls along the edges, in pieces of 4 m at most with different patterns, counter-clockwise."""
    corners = [(0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth)]
    found: list[Wall] = []
    for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
        shares = np.linspace(0.0, 1.0, max(1, int(np.ceil(np.hypot(*np.subtract(end, start)) / 4.0))) + 1)
        points = [tuple(float(v) for v in np.add(start, share * np.subtract(end, start))) for share in shares]
        for a, b in zip(points[:-1], points[1:], strict=True):
            left = patterns[(3 * len(found) + len(found) // 5) % len(patterns)]
            found.append(Wall(f"edge_{len(found)}", a, b, left=left))  # type: ignore[arg-type]
    return found


def _blocks(recording: Recording, cell: float = 0.5) -> tuple[Furniture, ...]:
    """Boxes over what is farther than a metre from where anybody was, which shows that there is room around it; as few
    as rows of cells make."""
    from scipy.spatial import cKDTree

    width, depth = recording.size
    nx, ny = int(width // cell), int(depth // cell)
    xs, ys = (np.arange(nx) + 0.5) * cell, (np.arange(ny) + 0.5) * cell
    middles = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1)
    distance, _ = cKDTree(recording.points).query(middles.reshape(-1, 2))
    taken = distance.reshape(nx, ny) > 1.0 + cell
    rng = np.random.default_rng(2)
    found: list[Furniture] = []
    while taken.any():
        i, j = (int(v) for v in np.argwhere(taken)[0])
        down = right = 1  # cells of the block
        while j + down < ny and taken[i, j + down]:
            down += 1
        while i + right < nx and taken[i + right, j : j + down].all() and right < 6:
            right += 1
        taken[i : i + right, j : j + down] = False
        place = (2 * i + right) * cell / 2, (2 * j + down) * cell / 2
        size = right * cell, down * cell, float(rng.uniform(0.6, 1.5))
        found.append(Furniture(f"block_{len(found)}", "box", place, size, color=_color(rng, 60, 220)))
    return tuple(found)
