"""Donkeycar tubs as a data set: pictures, with throttle and steering as the commands; neither odometry nor laser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.config import to_mapping
from ami_ros.errors import AmiError
from ami_ros.images import decode_image
from ami_ros.learning.alignment import COLUMNS, Frames, align, drop_short, joined_frames
from ami_ros.learning.dataset import Dataset, Progress
from ami_ros.learning.dataset_writer import append_pictures, make_dataset
from ami_ros.learning.extract import ExtractConfig
from ami_ros.learning.frames import shrunk_frame
from ami_ros.learning.resumable import PartialOutput
from ami_ros.learning.streams import TIME_JUMP, Segment, Stream
from ami_ros.learning.tub import Tub, read_tub

YAW_RATE = 5  # of the IMU's numbers
JPEG, END_OF_JPEG, END = b"\xff\xd8", b"\xff\xd9", 64  # [B] at the end, in which the mark has to be
ACTION = "throttle and steering, 1 the most, left positive"


def extract_tubs(tubs: Sequence[Path], out: Path, config: ExtractConfig, progress: Progress) -> Dataset:
    """Reads `tubs` into the new data set `out`; interrupted, it goes on with the tub it was at.

    Raises:
        AmiError: a tub cannot be read, nothing usable is in them, `out` exists or cannot be written.
    """

    def read(output: PartialOutput) -> None:
        for tub in tubs[len(output.parts) :]:
            output.add(*_read(read_tub(tub, config.topics), config, output, progress))

    return make_dataset(Path(out), tubs, config.alignment.period, to_mapping(config), read)


def usual_interval(tub: Path) -> float:
    """Median time between two frames [s]; raises AmiError like `read_tub`."""
    stamps = read_tub(tub).stamps
    return float(np.median(np.abs(np.diff(stamps)))) if len(stamps) > 1 else 0.0


def _read(
    tub: Tub, config: ExtractConfig, output: PartialOutput, progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Columns and facts of one tub; its pictures go into the blob."""
    dropped, problems = tub.dropped, list(tub.problems)
    segments = _segments(tub, dropped)
    frames = joined_frames([align(segment, config.alignment, 0, dropped) for segment in segments])
    columns: dict[str, NDArray[Any]] = {}
    size = 0, 0
    if frames is not None:
        pictures = _pictures(tub, frames, config.max_side, progress)
        offsets, size = append_pictures(output, pictures, len(frames.stamp), problems)
        readable = offsets[:, 1] > 0
        dropped["frames with a broken image"] += int((~readable).sum())
        record, frames.picture = frames.picture, np.arange(len(offsets))
        frames = drop_short(frames.select(readable), config.alignment, dropped)
        if len(frames.stamp):
            imu = tub.imu[record[frames.picture]].astype(np.float32)
            frames.velocity[:, 1] = imu[:, YAW_RATE]
            columns = {name: getattr(frames, name) for name in (*COLUMNS, "starts")}
            columns |= {"offsets": offsets[frames.picture], "imu": imu}
    source = {"path": str(tub.path), "frames": len(columns.get("stamp", ())), "topics": tub.fields | {"action": ACTION},
              "problems": problems}  # fmt: skip
    facts = {"source": source, "dropped": {reason: int(n) for reason, n in dropped.items() if n}, "beams": 0,
             "image_size": size}  # fmt: skip
    return columns, facts


def _segments(tub: Tub, dropped: Counter[str]) -> list[Segment]:
    """Cut where a session begins, and where the clock went back."""
    back = np.diff(tub.stamps, prepend=tub.stamps[0]) < -TIME_JUMP
    dropped["cuts where the clock went back"] += int((back & ~tub.breaks).sum())
    bounds = [0, *np.flatnonzero(back | tub.breaks).tolist(), len(tub.stamps)]
    found = []
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        stamps = tub.stamps[start:stop].tolist()
        images, commands = list(range(start, stop)), tub.commands[start:stop].tolist()
        found.append({"image": Stream(stamps, stamps, images), "command": Stream(stamps, stamps, commands)})
    return found


def _pictures(tub: Tub, frames: Frames, max_side: int, progress: Progress) -> Iterator[tuple[int, bytes]]:
    """Row and JPEG of each of the frames' pictures that can be decoded."""
    for row, record in enumerate(frames.picture.tolist()):
        try:
            data = tub.pictures[record].read_bytes()
            if data.startswith(JPEG) and END_OF_JPEG not in data[-END:]:
                continue  # cut off: it would be decoded all the same, the rest grey
            yield row, shrunk_frame(decode_image(data), max_side, data)
        except (AmiError, OSError):
            continue
        if row % 200 == 0:
            progress(row, len(frames.stamp))
