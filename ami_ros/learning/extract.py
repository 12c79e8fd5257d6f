"""Makes a data set from bags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.config import to_mapping
from ami_ros.errors import AmiError
from ami_ros.geometry import relative
from ami_ros.learning.alignment import COLUMNS, AlignmentConfig, Frames, align, drop_short, joined_frames
from ami_ros.learning.bag_reader import BagReader, BrokenBagError
from ami_ros.learning.dataset import Dataset, Progress
from ami_ros.learning.dataset_writer import append_pictures, make_dataset
from ami_ros.learning.frames import frame_of, recorded_rectifier
from ami_ros.learning.laser_odometry import laser_odometry
from ami_ros.learning.resumable import PartialOutput
from ami_ros.learning.scanner_mount import recorded_mount
from ami_ros.learning.streams import Segment, clock_of, find_topics, lacks, read_segments
from ami_ros.scan import Mount, Scan


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
        """Numbers in commands and velocities, see `ami_ros.commands`."""
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
        try:
            segments = read_segments(bag, topics, dropped, lambda: None, config.width)
        except BrokenBagError:
            bag.salvage()
            dropped.clear()
            segments = read_segments(bag, topics, dropped, lambda: None, config.width)
    alignment, beams = config.alignment, 1 if "scan" in topics else 0
    found = [align(segment, alignment, beams, dropped, config.width) for segment in segments]
    kept = sum(len(drop_short(frames, alignment, dropped).stamp) for frames in found)
    clocks = [np.asarray(segment[clock_of(segment)].stamps) for segment in segments]
    return kept, sum(round(float(np.ptp(stamps)) / alignment.period) + 1 for stamps in clocks if len(stamps))


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
        if len({"scan" in topics for topics in found}) > 1:
            raise AmiError("some of the bags have scans, some have none: extract them into separate data sets")
        if len({"image" in topics for topics in found}) > 1:
            raise AmiError("some of the bags have pictures, some have none: extract them into separate data sets")
        self.total = sum(counts)
        for number in range(len(self.output.parts), len(bags)):
            self.done = sum(counts[:number])
            with BagReader(bags[number]) as bag:
                self._read_bag(bag, found[number])

    def _tick(self) -> None:
        self.done += 1
        if self.done % 200 == 0 or self.done == self.total:
            self.progress(min(self.done, self.total), self.total)

    def _read_bag(self, bag: BagReader, topics: dict[str, str]) -> None:
        alignment = self.config.alignment
        self.dropped, self.problems, self.image_size, before = Counter(), [], (0, 0), self.done
        try:
            segments = read_segments(bag, topics, self.dropped, self._tick, self.config.width)
        except BrokenBagError:
            bag.salvage()
            self.dropped.clear()
            self.done = before
            segments = read_segments(bag, topics, self.dropped, self._tick, self.config.width)
        beams = self._beams(segments) if "scan" in topics else 0
        scanner = self._scanner(bag, segments) if beams else None
        width = self.config.width
        frames = joined_frames([align(segment, alignment, beams, self.dropped, width) for segment in segments])
        self.problems += lacks(topics, self.config.pictures)
        if frames is not None and "odometry" not in topics:
            self._follow_scans(frames, scanner or Mount())
        self.dropped["cuts where the clock went back"] += max(0, len(segments) - 1)
        columns: dict[str, NDArray[Any]] = {}
        if frames is not None:
            columns = self._columns(bag, topics.get("image", ""), frames)
        source = {
            "path": str(bag.path),
            "frames": len(columns.get("stamp", ())),
            "topics": topics,
            "problems": [*bag.problems, *self.problems],
        }
        dropped = {reason: count for reason, count in self.dropped.items() if count}
        facts = {"source": source, "dropped": dropped, "beams": beams, "image_size": self.image_size}
        facts["scanner"] = to_mapping(scanner) if scanner else None
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

    def _beams(self, segments: list[Segment]) -> int:
        """Columns of the scan, from the first message of all: the same for all bags."""
        for part in self.output.parts:
            if part.facts["beams"]:
                return int(part.facts["beams"])
        first = next((s["scan"].values[0] for s in segments if s["scan"].values), None)
        if first is None:
            return 0
        around = round(2 * np.pi / abs(first.angle_increment))
        return int(min(around, self.config.alignment.max_beams))

    def _scanner(self, bag: BagReader, segments: list[Segment]) -> Mount | None:
        """Where the scanner sat, by the frame of the first scan."""
        first = next((s["scan"].values[0] for s in segments if s["scan"].values), None)
        if first is None:
            return None
        mount = self.config.scanner or recorded_mount(bag, first.header.frame_id)
        if mount is None:
            frame = first.header.frame_id
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
            self._tick()
            if (row := wanted.get(i)) is not None:
                try:
                    yield row, frame_of(bag.decode(topic, data), self.config.max_side, rectifier)
                except AmiError:
                    continue
