"""Makes a data set from bags."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ami_ros.config import to_mapping
from ami_ros.errors import AmiError
from ami_ros.images import image_size
from ami_ros.learning.alignment import COLUMNS, AlignmentConfig, Frames, align, drop_short
from ami_ros.learning.bag_reader import BagReader
from ami_ros.learning.dataset import CARD, IMAGES, VERSION, Dataset, DatasetCard, Progress, checksum
from ami_ros.learning.frames import frame_of
from ami_ros.learning.streams import Segment, find_topics, read_segments


@dataclass(frozen=True)
class ExtractConfig:
    """How bags become a data set."""

    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    topics: dict[str, str] = field(default_factory=dict)  # role: topic, where types and usual names do not tell
    max_side: int = 128  # images whose shorter side is longer are reduced to it [px]


def extract(
    bags: Sequence[Path], out: Path, config: ExtractConfig | None = None, progress: Progress | None = None
) -> Dataset:
    """Reads `bags` into the new data set `out`; what was left out, and why, is in its card.

    Args:
        progress: called with messages read so far, and of all bags together.

    Raises:
        AmiError: a bag cannot be read or lacks a topic, nothing usable is in them, `out` exists or cannot be written.
            Nothing is left at `out` then.
    """
    out, partial = Path(out), Path(f"{out}.partial")
    if out.exists():
        raise AmiError(f"{out} exists already: name another folder, or remove it")
    if not bags:
        raise AmiError("no bags given: name at least one")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with (partial / IMAGES).open("wb") as blob:
            extraction = _Extraction(config or ExtractConfig(), blob, progress or (lambda done, total: None))
            extraction.read([Path(bag) for bag in bags])
        extraction.save(partial)
        os.replace(partial, out)
    except OSError as error:
        raise AmiError(f"cannot write the data set {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Dataset(out)


class _Extraction:
    """What is collected over all bags."""

    def __init__(self, config: ExtractConfig, blob: Any, progress: Progress) -> None:
        self.config, self.blob, self.progress = config, blob, progress
        self.parts: list[Frames] = []
        self.offsets: list[NDArray[np.int64]] = []
        self.dropped: Counter[str] = Counter()
        self.sources: list[dict[str, Any]] = []
        self.image_size = (0, 0)
        self.beams: int | None = None
        self.done = self.total = 0

    def read(self, bags: list[Path]) -> None:
        found = []
        for path in bags:
            with BagReader(path) as bag:
                topics = find_topics(bag, self.config.topics)
                self.total += sum(bag.topics[t].count for t in topics.values()) + bag.topics[topics["image"]].count
                found.append(topics)
        if len({"scan" in topics for topics in found}) > 1:
            raise AmiError("some of the bags have scans, some have none: extract them into separate data sets")
        for path, topics in zip(bags, found, strict=True):
            with BagReader(path) as bag:
                self._read_bag(bag, topics)
        if not self.parts:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items() if count)
            raise AmiError(f"nothing usable in {', '.join(map(str, bags))}: {reasons or 'no images'}")

    def save(self, folder: Path) -> None:
        """Writes the columns and the card."""
        columns = {name: np.concatenate([getattr(part, name) for part in self.parts]) for name in COLUMNS}
        starts = np.concatenate([part.starts for part in self.parts])
        columns["episode"] = (np.cumsum(starts) - 1).astype(np.int32)
        columns["offsets"] = np.concatenate(self.offsets)
        for name, values in columns.items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)
        alignment = self.config.alignment
        card = DatasetCard(
            version=VERSION,
            frames=len(starts),
            episodes=int(starts.sum()),
            minutes=round(len(starts) * alignment.period / 60, 2),
            period=alignment.period,
            image_size=self.image_size,
            scan_beams=self.beams or 0,
            has_heading=bool(np.isfinite(columns["heading"]).all()),
            has_truth=bool(np.isfinite(columns["truth"]).all()),
            checksum=checksum(folder),
            sizes={file.name: file.stat().st_size for file in sorted(folder.iterdir())},
            sources=tuple(self.sources),
            dropped={reason: count for reason, count in self.dropped.items() if count},
            extraction=to_mapping(self.config),
        )
        (folder / CARD).write_text(yaml.safe_dump(to_mapping(card), sort_keys=False), "utf-8")

    def _tick(self) -> None:
        self.done += 1
        if self.done % 200 == 0 or self.done == self.total:
            self.progress(min(self.done, self.total), self.total)

    def _read_bag(self, bag: BagReader, topics: dict[str, str]) -> None:
        alignment = self.config.alignment
        segments = read_segments(bag, topics, self._tick)
        beams = self._beams(segments) if "scan" in topics else 0
        frames = _join([align(segment, alignment, beams, self.dropped) for segment in segments])
        self.dropped["cuts where the clock went back"] += max(0, len(segments) - 1)
        count = 0
        if frames is not None:
            offsets = self._write_images(bag, topics["image"], frames.picture)
            readable = offsets[:, 1] > 0
            self.dropped["frames with a broken image"] += int((~readable).sum())
            frames = frames.select(readable)
            frames.picture = np.flatnonzero(readable)  # from here on: the row in `offsets`
            frames = drop_short(frames, alignment, self.dropped)
            count = len(frames.stamp)
            if count:
                self.parts.append(frames)
                self.offsets.append(offsets[frames.picture])
        self.sources.append({"path": str(bag.path), "frames": count, "topics": topics, "problems": list(bag.problems)})

    def _beams(self, segments: list[Segment]) -> int:
        """Columns of the scan, from the first message of all: the same for all bags."""
        first = next((s["scan"].values[0] for s in segments if s["scan"].values), None)
        if self.beams is None and first is not None:
            around = round(2 * np.pi / abs(first.angle_increment)) if first.angle_increment else len(first.ranges)
            self.beams = min(around, self.config.alignment.max_beams)
        return self.beams or 0

    def _write_images(self, bag: BagReader, topic: str, pictures: NDArray[np.int64]) -> NDArray[np.int64]:
        """Appends the images of these indices to the blob; their offsets (n, 2), zeros for broken ones."""
        offsets = np.zeros((len(pictures), 2), dtype=np.int64)
        wanted = {picture: row for row, picture in enumerate(pictures.tolist())}
        for i, (_, _, data) in enumerate(bag.messages([topic])):
            self._tick()
            if (row := wanted.get(i)) is None:
                continue
            try:
                jpeg = frame_of(bag.decode(topic, data), self.config.max_side)
            except AmiError:
                continue
            start = self.blob.tell()
            self.blob.write(jpeg)
            offsets[row] = start, start + len(jpeg)
            self.image_size = self.image_size if any(self.image_size) else image_size(jpeg)
        return offsets


def _join(parts: list[Frames]) -> Frames | None:
    """The parts behind one another, None if there are no rows."""
    if not any(len(part.stamp) for part in parts):
        return None
    names = [f.name for f in dataclasses.fields(Frames)]
    return Frames(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
