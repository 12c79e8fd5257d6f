"""Reads tubs, the recordings of Donkeycar: pictures with the steering and throttle that the driver gave.

Tub v2 (donkeycar 4 and later, parts/tub_v2.py and parts/datastore_v2.py): `manifest.json` of five lines (fields, types,
metadata, sessions, catalogs), `catalog_N.catalog` with a JSON record a line, `images/`. Tub v1: `record_N.json` beside
the pictures. Damage is counted and passed over; nothing is evaluated, and no file outside the tub is read.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.config import to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import decode_image
from ami_ros.world_model.learning.alignment import (
    COLUMNS,
    TIME_JUMP,
    Frames,
    Segment,
    Stream,
    align,
    drop_short,
    joined_frames,
)
from ami_ros.world_model.learning.dataset import Dataset, Progress
from ami_ros.world_model.learning.dataset_writer import PartialOutput, append_pictures, make_dataset, shrunk_frame
from ami_ros.world_model.learning.extract import ExtractConfig

MANIFEST, PICTURES = "manifest.json", "images"
USUAL_RATE = 20.0  # [Hz], DRIVE_LOOP_HZ of Donkeycar's cfg_complete.py
# Who drove, by user/mode: from which side steering and throttle came.
DRIVERS = {"user": ("user", "user"), "local_angle": ("pilot", "user"), "local": ("pilot", "pilot")}
# Accelerations [m/s^2] and angular rates: of parts/imu.py in deg/s, of parts/dgym.py in rad/s.
IMUS = (
    (tuple(f"imu/acl_{a}" for a in "xyz"), tuple(f"imu/gyr_{a}" for a in "xyz"), math.pi / 180),
    (tuple(f"accel/accel_{a}" for a in "xyz"), tuple(f"gyro/gyro_{a}" for a in "xyz"), 1.0),
)
ROLES = ("image", "steering", "throttle")
Record = dict[str, Any]


@dataclass
class Tub:
    """What is in a tub, a row a frame in the order of recording; what was left out is counted.

    Attributes:
        stamps: (n,) [s].
        pictures: (n,) their files, which are there but may be damaged.
        commands: (n, 2) throttle and steering as recorded, 1 the most; positive steering turns left (REP-103).
        imu: (n, 6) acceleration [m/s^2] and angular rate [rad/s] in the sensor's own axes, NaN where unknown.
        breaks: (n,) a new session begins here.
        fields: role -> field that was read.
        dropped: reason -> number of frames or lines.
        problems: a line each.
    """

    path: Path
    stamps: Array
    pictures: list[Path]
    commands: Array
    imu: Array
    breaks: NDArray[np.bool_]
    fields: dict[str, str]
    dropped: Counter[str]
    problems: list[str]


def is_tub(folder: Path) -> bool:
    """Whether a folder is a tub, of either version."""
    return any(folder.glob("catalog_*.catalog")) or any(folder.glob("record_*.json")) or _is_manifest(folder / MANIFEST)


def tubs_at(path: Path) -> list[Path]:
    """The tub at `path`, in its `data` (as in a car's folder), or all right below it, by name; empty where none is."""
    for folder in (path, path / "data"):
        if folder.is_dir() and is_tub(folder):
            return [folder]
    return sorted(folder for folder in path.glob("*") if folder.is_dir() and is_tub(folder)) if path.is_dir() else []


def read_tub(path: Path, topics: Mapping[str, str] | None = None) -> Tub:
    """Reads a tub, all but the pixels.

    Args:
        topics: role (image, steering, throttle) to field, where the usual names do not tell.

    Raises:
        AmiError: it cannot be read, has no such field, or no frame of it can be used.
    """
    reading = _Reading(Path(path))
    try:
        records = reading.records()
    except OSError as error:
        raise AmiError(f"the tub {path} cannot be read: {error.strerror or error}") from error
    if not records:
        raise AmiError(f"no frame in the tub {path}: {reading.reasons() or 'it has no records'}")
    fields = _fields(reading, records, topics or {})
    kept = [(index, record, command) for index, record in records if (command := reading.command(record, fields))]
    kept = [row for row in kept if reading.picture(row[1], fields["image"])]
    if not kept:
        raise AmiError(f"no frame of the tub {path} can be used: {reading.reasons()}")
    rows = [record for _, record, _ in kept]
    sessions = [record.get("_session_id") for record in rows]
    files = [reading.picture(record, fields["image"], count=False) for record in rows]
    return Tub(
        path=reading.path,
        stamps=_stamps(reading, [index for index, _, _ in kept], rows),
        pictures=[file for file in files if file is not None],
        commands=np.array([command for _, _, command in kept], np.float64),
        imu=_imu(rows),
        breaks=np.array([i > 0 and sessions[i] != sessions[i - 1] for i in range(len(rows))], bool),
        fields=fields,
        dropped=reading.dropped,
        problems=reading.problems,
    )


@dataclass
class _Reading:
    """One tub while it is read."""

    path: Path
    dropped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)  # field: type, by the manifest
    folder: Path = Path()  # of the pictures

    def reasons(self) -> str:
        return ", ".join([*(f"{count} {reason}" for reason, count in self.dropped.items() if count), *self.problems])

    def records(self) -> list[tuple[int, Record]]:
        """(index, record) of all that are whole and not marked as deleted."""
        is_old = not any(self.path.glob("catalog_*.catalog")) and not (self.path / MANIFEST).exists()
        self.folder = self.path if is_old or not (self.path / PICTURES).is_dir() else self.path / PICTURES
        deleted: set[int] = set()
        if is_old:
            lines = self._old_records()
        else:
            catalogs, deleted = self._manifest()
            lines = (line for name in catalogs for line in self._lines(name))
        found = []
        for number, line in lines:
            try:
                record = json.loads(line)
                index = int(record.get("_index", number))
            except (ValueError, TypeError, AttributeError, RecursionError):
                self.dropped["lines that are damaged"] += 1
                continue
            if index in deleted:
                self.dropped["frames marked as deleted"] += 1
            else:
                found.append((index, record))
        return found

    def _manifest(self) -> tuple[list[str], set[int]]:
        """Names of the catalogs in order, and the deleted indexes; without a manifest all catalogs count."""
        there = sorted((file.name for file in self.path.glob("catalog_*.catalog")), key=_number)
        try:
            lines = (self.path / MANIFEST).read_text("utf-8").splitlines()
            names, kinds, last = json.loads(lines[0]), json.loads(lines[1]), json.loads(lines[4])
            named = [name for name in last["paths"] if Path(name).name == name]
            deleted = {int(index) for index in last.get("deleted_indexes", ())}
            self.types = dict(zip(map(str, names), map(str, kinds), strict=False))
        except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
            self.problems.append(f"{MANIFEST} {reason}: all catalogs are read, and no frame counts as deleted")
            return there, set()
        for name in named:
            if name not in there:
                self.problems.append(f"{name} is missing")
        if extra := [name for name in there if name not in named]:
            self.problems.append(f"{', '.join(extra)}: not in {MANIFEST}, read all the same")
        return [*(name for name in named if name in there), *extra], deleted

    def _lines(self, catalog: str) -> Iterator[tuple[int, str]]:
        with (self.path / catalog).open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(iter(lambda: file.readline(1_000_000), "")):
                if line.strip("\x00 \r\n"):
                    yield number, line

    def _old_records(self) -> Iterator[tuple[int, str]]:
        for file in sorted(self.path.glob("record_*.json"), key=lambda file: _number(file.name)):
            yield _number(file.name), file.read_text("utf-8", errors="replace")[:1_000_000]

    def command(self, record: Record, fields: Mapping[str, str]) -> tuple[float, float] | None:
        """Throttle and steering that the car followed; None, counted, where they are not there."""
        angle, throttle = fields["steering"], fields["throttle"]
        if (mode := record.get("user/mode", "user")) not in DRIVERS:
            self.dropped[f"frames of an unknown user/mode '{str(mode)[:20]}'"] += 1
            return None
        if angle == "user/angle" and throttle == "user/throttle":
            angle, throttle = f"{DRIVERS[mode][0]}/angle", f"{DRIVERS[mode][1]}/throttle"
        forward, aside = _number_or_nan(record.get(throttle)), _number_or_nan(record.get(angle))
        if not math.isfinite(forward + aside):
            who = "driven by a pilot whose commands are not recorded" if "pilot" in angle else "without finite commands"
            self.dropped[f"frames {who}"] += 1
            return None
        return forward, -aside

    def picture(self, record: Record, name: str, count: bool = True) -> Path | None:
        """The picture's file; None, counted, where there is none in the tub."""
        value = record.get(name)
        if isinstance(value, str) and Path(value).name == value and (file := self.folder / value).is_file():
            return file
        self.dropped["frames without their picture"] += count
        return None


def _fields(reading: _Reading, records: list[tuple[int, Record]], topics: Mapping[str, str]) -> dict[str, str]:
    """Role -> field."""
    if unknown := sorted(set(topics) - set(ROLES)):
        raise AmiError(f"topics: unknown role '{unknown[0]}'; those of a tub are {', '.join(ROLES)}")
    there: dict[str, Any] = {}
    for _, record in records:
        there |= {name: value for name, value in record.items() if name not in there}
    pictures = [n for n, kind in reading.types.items() if kind in ("image_array", "gray16_array") and n in there] or [
        name for name, value in there.items() if isinstance(value, str) and value.lower().endswith((".jpg", ".png"))
    ]
    found = dict(topics)
    for role, usual, ends in (
        ("image", "cam/image_array", ()),
        ("steering", "user/angle", ("angle", "steering")),
        ("throttle", "user/throttle", ("throttle",)),
    ):
        fitting = pictures if role == "image" else [n for n in there if n.rpartition("/")[2] in ends]
        if role not in found and (usual in there or len(fitting) == 1):
            found[role] = usual if usual in there else fitting[0]
        if found.get(role) not in there:
            has = ", ".join(sorted(name for name in there if not name.startswith("_"))) or "no fields"
            raise AmiError(f"the tub {reading.path} has no {role}; name it: --topic {role}=FIELD; it has {has}")
    return found


def _stamps(reading: _Reading, indexes: list[int], rows: list[Record]) -> Array:
    """(n,) [s]; where a record has none, by its index."""
    stamps = np.array([_milliseconds(record) for record in rows], np.float64) / 1e3
    missing, number = np.isnan(stamps), np.asarray(indexes, np.float64)
    if missing.any():
        reading.problems.append(
            f"{int(missing.sum())} frames have no time: taken to be {1 / USUAL_RATE:g} s apart, as Donkeycar drives"
        )
    if missing.all():
        return np.asarray(number / USUAL_RATE)
    known = np.flatnonzero(~missing)
    nearest = known[(np.searchsorted(known, np.arange(len(stamps)), side="right") - 1).clip(min=0)]
    guessed = stamps[nearest] + (number - number[nearest]) / USUAL_RATE
    return np.where(missing, guessed, stamps)


def _milliseconds(record: Record) -> float:
    value = record.get("_timestamp_ms", record.get("milliseconds"))
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e14:
        return float(value)
    return math.nan


def _imu(rows: list[Record]) -> Array:
    """(n, 6), see `Tub`."""
    for accelerations, rates, unit in IMUS:
        if any(name in rows[len(rows) // 2] for name in (*accelerations, *rates)):
            values = [[_number_or_nan(row.get(name)) for name in (*accelerations, *rates)] for row in rows]
            return np.array(values, np.float64) * [1, 1, 1, unit, unit, unit]
    return np.full((len(rows), 6), np.nan)


def _number_or_nan(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else math.nan


def _number(name: str) -> int:
    return int((re.findall(r"\d+", name) or ["0"])[0][:18])


def _is_manifest(file: Path) -> bool:
    """Whether a file is a tub's, not another program's of that name."""
    try:
        with file.open("rb") as opened:
            return b"image_array" in opened.read(10_000)
    except OSError:
        return False


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
            frames.velocity[:, 1] = imu[:, 5]  # yaw rate
            columns = {name: getattr(frames, name) for name in (*COLUMNS, "starts")}
            columns |= {"offsets": offsets[frames.picture], "imu": imu}
    source = {
        "path": str(tub.path), "frames": len(columns.get("stamp", ())), "problems": problems,
        "topics": tub.fields | {"action": "throttle and steering, 1 the most, left positive"},
    }  # fmt: skip
    left_out = {reason: int(n) for reason, n in dropped.items() if n}
    facts = {"source": source, "dropped": left_out, "beams": 0, "image_size": size}
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
            if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[-64:]:
                continue  # a JPEG that is cut off: it would be decoded all the same, the rest grey
            yield row, shrunk_frame(decode_image(data), max_side, data)
        except (AmiError, OSError):
            continue
        if row % 200 == 0:
            progress(row, len(frames.stamp))
