"""Donkeycar tubs as a data set: pictures, with throttle and steering as the commands; neither odometry nor laser."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.config import to_mapping
from ami_ros.errors import AmiError
from ami_ros.images import decode_image, image_size
from ami_ros.learning.alignment import COLUMNS, Frames, align, drop_short, joined_frames
from ami_ros.learning.dataset import IMAGES, Dataset, Progress
from ami_ros.learning.dataset_writer import write_dataset
from ami_ros.learning.extract import ExtractConfig
from ami_ros.learning.frames import shrunk_frame
from ami_ros.learning.resumable import PartialOutput, open_partial
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
    out, partial = Path(out), Path(f"{out}.partial")
    if out.exists():
        raise AmiError(f"{out} exists already: name another folder, or remove it")
    plan = {"tubs": [_fingerprint(tub) for tub in tubs], "extraction": to_mapping(config)}
    try:
        with open_partial(partial, IMAGES, plan) as output:
            for number in range(len(output.parts), len(tubs)):
                output.add(*_read(read_tub(tubs[number], config.topics), config, output, progress))
            _check(output, tubs)
            write_dataset(partial, output.parts, config.alignment.period, to_mapping(config))
        os.replace(partial, out)
    except OSError as error:
        raise AmiError(f"cannot write the data set {out}: {error.strerror or error}; mend it and repeat") from error
    return Dataset(out)


def usual_interval(tub: Path) -> float:
    """Median time between two frames [s]; raises AmiError like `read_tub`."""
    stamps = read_tub(tub).stamps
    return float(np.median(np.abs(np.diff(stamps)))) if len(stamps) > 1 else 0.0


def _check(output: PartialOutput, tubs: Sequence[Path]) -> None:
    if not any(part.columns for part in output.parts):
        dropped = sum((Counter(part.facts["dropped"]) for part in output.parts), Counter[str]())
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        raise AmiError(f"nothing usable in {', '.join(map(str, tubs))}: {reasons or 'no frames'}")


def _read(
    tub: Tub, config: ExtractConfig, output: PartialOutput, progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Columns and facts of one tub; its pictures go into the blob."""
    dropped, problems = tub.dropped, list(tub.problems)
    segments = _segments(tub, dropped)
    frames = joined_frames([align(segment, config.alignment, 0, dropped) for segment in segments])
    columns: dict[str, NDArray[Any]] = {}
    sizes: set[tuple[int, int]] = set()
    if frames is not None:
        offsets = _write_pictures(tub, frames, config.max_side, output, problems, sizes, progress)
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
             "image_size": max(sizes, default=(0, 0)), "joints": []}  # fmt: skip
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


def _write_pictures(
    tub: Tub,
    frames: Frames,
    max_side: int,
    output: PartialOutput,
    problems: list[str],
    sizes: set[tuple[int, int]],
    progress: Progress,
) -> NDArray[np.int64]:
    """Appends the frames' pictures to the blob; their offsets (n, 2), zeros for those that cannot be decoded."""
    offsets, different = np.zeros((len(frames.stamp), 2), np.int64), set()
    for row, record in enumerate(frames.picture.tolist()):
        try:
            data = tub.pictures[record].read_bytes()
            if data.startswith(JPEG) and END_OF_JPEG not in data[-END:]:
                continue  # cut off: it would be decoded all the same, the rest grey
            jpeg = shrunk_frame(decode_image(data), max_side, data)
        except (AmiError, OSError):
            continue
        start = output.blob.tell()
        output.blob.write(jpeg)
        offsets[row] = start, start + len(jpeg)
        sizes.add(image_size(jpeg))
        different.add(hash(jpeg))
        if row % 200 == 0:
            progress(row, len(frames.stamp))
    if len(sizes) > 1:
        names = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        problems.append(f"its pictures have several sizes ({names}): the central square of each is used")
    if len(different) == 1 < len(frames.stamp):
        problems.append("all its pictures are the same: is the camera covered, or its driver stuck?")
    return offsets


def _fingerprint(tub: Path) -> list[Any]:
    files = [file for file in tub.rglob("*") if file.is_file()]
    return [str(tub.resolve()), len(files), sum(file.stat().st_size for file in files)]
