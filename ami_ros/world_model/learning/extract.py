"""Makes a data set from bags, and bags from a data set."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.config import to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, pose_gap, relative, transform_points
from ami_ros.core.scan import Mount, Scan
from ami_ros.core.scan_matching import Match, Matcher, Window
from ami_ros.core.submaps import Submap, free_distance, points_of, submap_of
from ami_ros.world_model.learning.alignment import (
    COLUMNS,
    AlignmentConfig,
    Frames,
    Segment,
    align,
    clock_of,
    drop_short,
    find_topics,
    joined_frames,
    lacks,
    read_segments,
)
from ami_ros.world_model.learning.bag_reader import BagReader, BrokenBagError, recorded_mount
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset, Progress
from ami_ros.world_model.learning.dataset_writer import (
    PartialOutput,
    append_pictures,
    frame_of,
    make_dataset,
    recorded_rectifier,
)


@dataclass(frozen=True)
class LaserOdometryConfig:
    """How a robot is followed by its scans alone."""

    spread: tuple[float, float, float] = (0.15, 0.15, 0.2)  # [m], [m], [rad] deviation of a step from the one before
    reach: float = 0.6  # [m] that are searched where the fit does not hold
    turn: float = 0.6  # [rad] likewise
    sure: float = 0.75  # share of points on walls at which a fit is taken at once ...
    least: float = 0.5  # ... and at all
    every: tuple[float, float] = (0.2, 0.25)  # [m], [rad] between scans that are kept
    kept: float = 4.0  # [m] of way whose scans are
    fewest: int = 10  # points of a scan by which a robot can be followed


FOLLOWED = LaserOdometryConfig()


def laser_odometry(scans: Sequence[Scan]) -> tuple[Array, NDArray[np.bool_]]:
    """Poses (n, 3) of the robot at its scans, in a frame that begins at the first one, and at which it was followed.

    Each scan is fitted to the walls that the last 4 m showed, from where the robot would be if it went on as before
    (Censi's point-to-line fit, `ami_ros.core.scan_matching`). Where that does not hold, poses around are searched.

    Args:
        scans: in base_link, in order and without gaps.
    """
    poses, followed = np.zeros((len(scans), 3)), np.ones(len(scans), bool)
    stops: deque[tuple[Array, Array, float]] = deque()  # pose, points, way driven until then
    matcher: Matcher | None = None
    origin, motion, way = np.zeros(3), np.zeros(3), 0.0
    for i, scan in enumerate(scans):
        points, free = points_of(scan), free_distance(scan)
        is_clear = len(points) >= FOLLOWED.fewest
        if i:
            expected = compose(poses[i - 1], motion)
            match = None
            if matcher is not None and is_clear:
                match = _fit(matcher, submap_of(points, free), relative(origin, expected))
            followed[i] = match is not None
            poses[i] = expected if match is None else compose(origin, match.pose)
            motion = relative(poses[i - 1], poses[i])
            way += float(np.hypot(*motion[:2]))
        gap = pose_gap(stops[-1][0], poses[i]) if stops else (np.inf, np.inf)
        if followed[i] and is_clear and (gap[0] > FOLLOWED.every[0] or gap[1] > FOLLOWED.every[1]):
            stops.append((poses[i].copy(), points, way))
            while way - stops[0][2] > FOLLOWED.kept:
                stops.popleft()
            origin = poses[i].copy()
            seen = [transform_points(relative(origin, pose), kept) for pose, kept, _ in stops]
            matcher = Matcher(submap_of(np.concatenate(seen), free))
    return poses, followed


def _fit(matcher: Matcher, scan: Submap, expected: Array) -> Match | None:
    """Where a scan lies in what was seen before; None where nothing fits."""
    spread = np.diag(np.square(FOLLOWED.spread))
    match = matcher.fit(scan, expected, spread)
    if match is None or match.support < FOLLOWED.sure:
        for _, pose, _ in matcher.search([scan], [Window(expected, FOLLOWED.reach, FOLLOWED.turn)], most=2):
            tried = matcher.fit(scan, expected, spread, start=pose)
            if tried is not None and (match is None or tried.support > match.support):
                match = tried
    return match if match is not None and match.support >= FOLLOWED.least else None


@dataclass(frozen=True)
class ExtractConfig:
    """How bags become a data set."""

    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    topics: dict[str, str] = field(default_factory=dict)  # role: topic, where types and usual names do not tell
    max_side: int = 128  # images whose shorter side is longer are reduced to it [px]
    field_of_view: float = 0.0  # [rad] of a square pinhole camera that pictures are brought to by camera_info; 0: as is
    narrowest: float = 0.0  # [rad] that a camera has to see of it at least, the rest being black; 0: all
    scanner: Mount | None = None  # where the scanner sat, whatever the bags say; None: as they say
    pictures: bool = True  # false: the robot has no camera, and its scans are the moments
    lateral: bool = False  # the robot drives sideways: linear.y of commands and velocities is read as well

    @property
    def width(self) -> int:
        """Numbers in commands and velocities, see `ami_ros.core.commands`."""
        return 3 if self.lateral else 2


def extract(
    bags: Sequence[Path], out: Path, config: ExtractConfig | None = None, progress: Progress | None = None
) -> Dataset:
    """Reads `bags` into the new data set `out`; what was left out, and why, is in its card.

    An extraction that was interrupted, or found the disk full, goes on with the bag it was at when it is repeated
    with the same bags and the same configuration.

    Args:
        progress: called with messages read so far, and of all bags together.

    Raises:
        AmiError: a bag cannot be read or lacks a topic, nothing usable is in them, `out` exists or cannot be written.
    """
    if not bags:
        raise AmiError("no bags given: name at least one")
    config, bags, tell = config or ExtractConfig(), [Path(bag) for bag in bags], progress or (lambda done, total: None)
    return make_dataset(
        Path(out), bags, config.alignment.period, to_mapping(config),
        lambda output: _Extraction(config, output, tell).read(bags),
    )  # fmt: skip


def moments_of(path: Path, config: ExtractConfig, dropped: Counter[str]) -> tuple[int, int]:
    """How many moments of a bag `extract` would take, and how many there are; pictures are not decoded.

    Args:
        dropped: reason -> number of messages, frames or cuts; counted up here.

    Raises:
        AmiError: it cannot be read, or lacks a topic.
    """
    with BagReader(path) as bag:
        topics = find_topics(bag, config.topics, config.pictures)
        segments = _salvaged(bag, topics, dropped, config.width, lambda count: None)
    alignment, beams = config.alignment, 1 if "scan" in topics else 0
    found = [align(segment, alignment, beams, dropped, config.width) for segment in segments]
    kept = sum(len(drop_short(frames, alignment, dropped).stamp) for frames in found)
    clocks = [np.asarray(segment[clock_of(segment)].stamps) for segment in segments]
    return kept, sum(round(float(np.ptp(stamps)) / alignment.period) + 1 for stamps in clocks if len(stamps))


def _salvaged(
    bag: BagReader, topics: dict[str, str], dropped: Counter[str], width: int, tell: Callable[[int], None]
) -> list[Segment]:
    """As `read_segments`, of a bag that may be broken in the middle; `tell` is told how many messages were read."""

    def read() -> list[Segment]:
        count = itertools.count(1)
        return read_segments(bag, topics, dropped, lambda: tell(next(count)), width)

    try:
        return read()
    except BrokenBagError:
        bag.salvage()
        dropped.clear()
        return read()


class _Extraction:
    """Reads bags one after the other, those not done yet."""

    def __init__(self, config: ExtractConfig, output: PartialOutput, progress: Progress) -> None:
        self.config, self.output, self.progress = config, output, progress
        self.done = self.total = 0
        self.dropped: Counter[str] = Counter()  # of the bag at hand
        self.problems: list[str] = []
        self.image_size = (0, 0)

    def read(self, bags: list[Path]) -> None:
        found, counts = [], []
        for path in bags:
            with BagReader(path) as bag:
                topics = find_topics(bag, self.config.topics, self.config.pictures)
                # Pictures are read once more, by themselves.
                again = bag.topics[topics["image"]].count if "image" in topics else 0
                counts.append(sum(bag.topics[t].count for t in topics.values()) + again)
                found.append(topics)
        for role, things in (("scan", "scans"), ("image", "pictures")):
            if len({role in topics for topics in found}) > 1:
                raise AmiError(f"some of the bags have {things}, some have none: extract them into separate data sets")
        self.total = sum(counts)
        for number in range(len(self.output.parts), len(bags)):
            self.done = sum(counts[:number])
            with BagReader(bags[number]) as bag:
                self._read_bag(bag, found[number])

    def _tell(self, done: int) -> None:
        """How many messages of all bags were read."""
        self.done = done
        if done % 200 == 0 or done == self.total:
            self.progress(min(done, self.total), self.total)

    def _read_bag(self, bag: BagReader, topics: dict[str, str]) -> None:
        alignment, width = self.config.alignment, self.config.width
        self.dropped, self.problems, self.image_size, before = Counter(), [], (0, 0), self.done
        segments = _salvaged(bag, topics, self.dropped, width, lambda count: self._tell(before + count))
        first = next((s["scan"].values[0] for s in segments if "scan" in s and s["scan"].values), None)
        beams, scanner = self._beams(first), None if first is None else self._scanner(bag, first.header.frame_id)
        frames = joined_frames([align(segment, alignment, beams, self.dropped, width) for segment in segments])
        self.problems += lacks(topics, self.config.pictures)
        if frames is not None and "odometry" not in topics:
            self._follow_scans(frames, scanner or Mount())
        self.dropped["cuts where the clock went back"] += max(0, len(segments) - 1)
        columns = {} if frames is None else self._columns(bag, topics.get("image", ""), frames)
        facts = {
            "source": {
                "path": str(bag.path), "frames": len(columns.get("stamp", ())), "topics": topics,
                "problems": [*bag.problems, *self.problems],
            },
            "dropped": {reason: count for reason, count in self.dropped.items() if count},
            "beams": beams, "image_size": self.image_size, "scanner": to_mapping(scanner) if scanner else None,
        }  # fmt: skip
        self.output.add(columns, facts)

    def _follow_scans(self, frames: Frames, scanner: Mount) -> None:
        """Odometry from the scans; where they do not tell, the robot is taken to go on as before."""
        lost = 0
        step = 2 * np.pi / frames.scan.shape[1]
        for start, stop in frames.episodes:
            scans = [scanner.in_base(Scan(np.array(row), 0.0, step)) for row in frames.scan[start:stop]]
            frames.odometry[start:stop], followed = laser_odometry(scans)
            motion = relative(frames.odometry[start : stop - 1], frames.odometry[start + 1 : stop])
            speed = motion / np.diff(frames.stamp[start:stop])[:, None]
            frames.velocity[start:stop] = 0.0
            frames.velocity[start + 1 : stop] = speed[:, [0, 2, 1][: self.config.width]]
            lost += int((~followed).sum())
        self.dropped["moments at which the scans do not tell how the robot moved (kept)"] += lost

    def _columns(self, bag: BagReader, topic: str, frames: Frames) -> dict[str, NDArray[Any]]:
        """Writes the images of `topic`, if there is one; what stands beside them, without the frames whose image is
        broken."""
        n = len(frames.stamp)
        offsets = self._write_images(bag, topic, frames.picture) if topic else np.zeros((n, 2), np.int64)
        readable = offsets[:, 1] > 0 if topic else np.ones(n, bool)
        self.dropped["frames with a broken image"] += int((~readable).sum())
        frames = frames.select(readable)
        frames.picture = np.flatnonzero(readable)  # from here on: the row in `offsets`
        frames = drop_short(frames, self.config.alignment, self.dropped)
        if not len(frames.stamp):
            return {}
        columns = {name: getattr(frames, name) for name in (*COLUMNS, "starts")}
        return columns | {"offsets": offsets[frames.picture]}

    def _beams(self, first: Any) -> int:
        """Columns of the scan, from the first message of all, if there is one: the same for all bags."""
        known = [int(part.facts["beams"]) for part in self.output.parts if part.facts["beams"]]
        if known or first is None:
            return known[0] if known else 0
        return int(min(round(2 * np.pi / abs(first.angle_increment)), self.config.alignment.max_beams))

    def _scanner(self, bag: BagReader, frame: str) -> Mount | None:
        """Where the scanner of a frame sat."""
        mount = self.config.scanner or recorded_mount(bag, frame)
        if mount is None:
            self.problems.append(f"where the scanner's frame '{frame}' is it does not say: taken for base_link")
        return mount

    def _write_images(self, bag: BagReader, topic: str, pictures: NDArray[np.int64]) -> NDArray[np.int64]:
        """Appends the images of these indices to the blob; their offsets (n, 2), zeros for broken ones."""
        wanted = {picture: row for row, picture in enumerate(pictures.tolist())}
        frames = self._frames(bag, topic, wanted)
        offsets, self.image_size = append_pictures(self.output, frames, len(pictures), self.problems)
        return offsets

    def _frames(self, bag: BagReader, topic: str, wanted: dict[int, int]) -> Iterator[tuple[int, bytes]]:
        """Row and JPEG of each wanted image that can be decoded."""
        field = self.config.field_of_view
        rectifier = recorded_rectifier(bag, topic, field, self.config.narrowest) if field else None
        if field and rectifier is None:
            self.problems.append(
                "it has no calibrated camera_info: its pictures are taken as of the model's own camera"
            )
        for i, (_, _, data) in enumerate(bag.messages([topic])):
            self._tell(self.done + 1)
            if (row := wanted.get(i)) is not None:
                try:
                    yield row, frame_of(bag.decode(topic, data), self.config.max_side, rectifier)
                except AmiError:
                    continue


def export_bags(dataset: Dataset, folder: Path, progress: Progress = lambda done, total: None) -> list[Path]:
    """Writes a bag for each episode that is not there yet: `folder`/episode_000 and so on. Repeat it after an
    interruption. `extract` makes the same rows of these bags again. NaNs are left out, and the IMU of tubs.

    Raises:
        AmiError: it cannot write there, or the disk is full.
    """
    bags = []
    for number, (start, stop) in enumerate(dataset.episodes):
        bag, partial = folder / f"episode_{number:03d}", folder / f".episode_{number:03d}"
        bags.append(bag)
        if not bag.exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(partial, ignore_errors=True)
                _write(dataset, range(start, stop), partial, lambda done: progress(done, len(dataset)))
                os.replace(partial, bag)
            except OSError as error:
                raise AmiError(f"export: {error.strerror or error}: {error.filename or folder}") from error
        progress(stop, len(dataset))
    return bags


def _write(dataset: Dataset, rows: range, path: Path, progress: Callable[[int], None]) -> None:
    width, height = dataset.card.image_size
    focal = width / 2 / math.tan(dataset.field_of_view / 2) if dataset.field_of_view else 0.0
    matrix = focal, focal, (width - 1) / 2, (height - 1) / 2
    with BagWriter(path) as bag:
        if dataset.scanner is not None:
            bag.mount("tf_static", float(dataset.stamp[rows.start]), dataset.scanner, "laser")
        for row in rows:
            stamp, jpeg = float(dataset.stamp[row]), dataset.jpeg(row)
            if jpeg:
                bag.image("image/compressed", stamp, jpeg)
            if jpeg and focal:
                bag.camera_info("camera_info", stamp, (width, height), matrix)
            scan, pose, velocity = dataset.scan[row], dataset.odometry[row], dataset.velocity[row]
            if len(scan):
                bag.scan("scan", stamp, scan, 0.0, 2 * math.pi / len(scan), frame="laser")
            if np.isfinite(pose).all() and np.isfinite(velocity).all():
                bag.odometry("odom", stamp, pose, tuple(velocity.tolist()))
            if np.isfinite(command := dataset.command[row]).all():
                bag.command("cmd_vel", stamp, *command.tolist())
            if np.isfinite(truth := dataset.truth[row]).all():
                bag.pose("ground_truth", stamp, truth, "world")
            progress(row + 1)
