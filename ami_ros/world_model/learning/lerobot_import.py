"""A LeRobotDataset v3 as a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core import commands
from ami_ros.core.config import to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.core.images import decode_image
from ami_ros.world_model.learning import lerobot_export as layout
from ami_ros.world_model.learning.alignment import COLUMNS, Frames, drop_short
from ami_ros.world_model.learning.dataset import Dataset, Progress
from ami_ros.world_model.learning.dataset_writer import PartialOutput, append_pictures, make_dataset, shrunk_frame
from ami_ros.world_model.learning.extract import ExtractConfig

Part = tuple[str, tuple[int, ...] | None]  # a feature, and which of its numbers; None: all

WIDTHS = {"image": None, "command": 2, "odometry": 3, "velocity": 2, "truth": 3, "stamp": 1, "scan": None}
USUAL: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "command": (layout.ACTION, commands.NAMES),
    "odometry": (layout.STATE, layout.POSE_NAMES),
    "velocity": (layout.STATE, commands.NAMES),
    "truth": (layout.TRUTH, None),
    "stamp": (layout.STAMP, None),
    "scan": (layout.SCAN, None),
}
REQUIRED = ("image", "command", "odometry")


def find_roles(
    folder: Path, features: Mapping[str, Any], mapping: Mapping[str, str], width: int = 2
) -> dict[str, Part]:
    """Role -> part of a feature, from `mapping` or by the names that our own export gives.

    Args:
        folder: of the data set.
        features: by name.
        mapping: role to `feature`, or to some numbers of it (`feature:0,1`).
        width: numbers in commands and velocities.

    Raises:
        AmiError: a required role is missing or ambiguous, or the mapping names what is not there.
    """
    found: dict[str, Part] = {}
    widths = WIDTHS | {"command": width, "velocity": width}
    for role, text in mapping.items():
        if role not in WIDTHS:
            raise AmiError(f"topics: unknown role '{role}'; known are {', '.join(WIDTHS)}")
        found[role] = _parsed(folder, features, role, text, widths[role])
    for role, (feature, named) in USUAL.items():
        if role not in found and feature in features:
            names = named[: widths[role]] if named is not None else None
            part = _by_names(features[feature], feature, names, widths[role])
            if part is not None:
                found[role] = part
    cameras = [name for name, feature in features.items() if feature["dtype"] in ("video", "image")]
    if "image" not in found and len(cameras) == 1:
        found["image"] = (cameras[0], None)
    for role in REQUIRED:
        if role not in found:
            there = ", ".join(cameras if role == "image" else features)
            raise AmiError(
                f"{folder}: which of {there or 'no features'} is the {role}? Say so: --topic {role}=FEATURE"
                + ("" if role == "image" else f":{','.join(map(str, range(widths[role] or 0)))}")
            )
    return found


def pick(table: Any, feature: str, numbers: tuple[int, ...] | None) -> NDArray[Any]:
    """Values (n, width) of a feature in a table."""
    column = table.column(feature).combine_chunks()
    values = np.asarray(column.flatten() if hasattr(column, "flatten") and column.type.num_fields else column)
    values = values.reshape(table.num_rows, -1)
    return values if numbers is None else values[:, list(numbers)]


def _parsed(folder: Path, features: Mapping[str, Any], role: str, text: str, width: int | None) -> Part:
    """`feature` or `feature:0,1,2`."""
    feature, has_numbers, listed = text.partition(":")
    size = int(np.prod(features[feature]["shape"])) if feature in features else 0
    try:
        numbers = tuple(int(number) for number in listed.split(",")) if has_numbers else None
    except ValueError:
        numbers = ()
    is_fit = feature in features and (numbers is None or all(0 <= number < size for number in numbers))
    if not is_fit or (width is not None and width != (size if numbers is None else len(numbers))):
        there = ", ".join(f"{name} {feature['shape']}" for name, feature in features.items())
        raise AmiError(f"{folder} has no {text} fit for '{role}' ({width or 'any'} numbers); it has {there}")
    return feature, numbers


def _by_names(feature: Mapping[str, Any], name: str, wanted: tuple[str, ...] | None, width: int | None) -> Part | None:
    """The numbers that are named as wanted; all of them where nothing is wanted, or the width alone fits."""
    names = feature.get("names")
    if wanted is not None and isinstance(names, list) and set(wanted) <= set(names):
        return name, tuple(names.index(n) for n in wanted)
    size = int(np.prod(feature["shape"]))
    return (name, None) if wanted is None or (size == width and not names) else None


Episode = dict[str, Any]  # a row of meta/episodes
Image = NDArray[np.uint8]


def import_lerobot(
    folder: Path, out: Path, config: ExtractConfig | None = None, progress: Progress | None = None
) -> Dataset:
    """Reads the LeRobotDataset in `folder` into the new data set `out`; interrupted, it goes on where it was.

    Args:
        folder: with `meta/info.json`.
        out: must not exist.
        config: `topics` maps roles to features, or to some numbers of them (`observation.state:0,1,2`); of
            `alignment`, period and min_frames count.
        progress: called with frames done, and of all.

    Raises:
        AmiError: not version 3, a role that no feature has, a period that its frames do not meet, a missing extra, or
            `out` exists or cannot be written.
    """
    config = config or ExtractConfig()
    layout.needs("pyarrow", "av")
    reading = _Import(folder, config, progress or (lambda done, total: None))
    return make_dataset(Path(out), [folder], config.alignment.period, to_mapping(config), reading.read)


def stride_of(period: float, fps: float) -> int:
    """How many frames make a period [s]; raises AmiError where no whole number does."""
    stride = round(period * fps)
    if stride < 1 or abs(stride / fps - period) > 1e-3 * period:
        raise AmiError(f"its frames are {1 / fps:g} s apart: give a multiple of that as --period, not {period:g}")
    return stride


class _Import:
    def __init__(self, folder: Path, config: ExtractConfig, progress: Progress) -> None:
        self.folder, self.config, self.progress = folder, config, progress
        self.info = layout.read_info(folder)
        self.stride = stride_of(config.alignment.period, self.info.fps)
        self.roles = find_roles(folder, self.info.features, config.topics, config.width)
        self.camera = self.roles["image"][0]
        self.is_video = self.info.features[self.camera]["dtype"] == "video"
        self.episodes = self._episodes()
        self.total = sum(int(episode["length"]) for episode in self.episodes)
        self.done = 0

    def _episodes(self) -> list[Episode]:
        (parquet,) = layout.needs("pyarrow.parquet")
        files = sorted((self.folder / "meta/episodes").glob("*/*.parquet"))
        rows: list[Episode] = []
        for file in files:
            names = [n for n in parquet.read_schema(file).names if not n.startswith("stats/")]
            rows += parquet.read_table(file, columns=names).to_pylist()
        if not rows:
            raise AmiError(f"{self.folder} has no episodes")
        return sorted(rows, key=lambda row: int(row["episode_index"]))

    def read(self, output: PartialOutput) -> None:
        """Reads what is not done yet, file by file."""
        of = f"videos/{self.camera}" if self.is_video else "data"

        def place(episode: Episode) -> tuple[int, int]:
            return int(episode[f"{of}/chunk_index"]), int(episode[f"{of}/file_index"])

        groups = [(key, list(group)) for key, group in groupby(self.episodes, key=place)]
        for number, (key, episodes) in enumerate(groups):
            if number >= len(output.parts):
                self._read_file(output, key, episodes)
            else:
                self.done += sum(int(episode["length"]) for episode in episodes)

    def _read_file(self, output: PartialOutput, place: tuple[int, int], episodes: list[Episode]) -> None:
        """Reads the episodes whose pictures are in one file."""
        dropped: Counter[str] = Counter()
        frames = [self._frames(episode, dropped) for episode in episodes]
        columns = {name: np.concatenate([getattr(f, name) for f in frames]) for name in (*COLUMNS, "starts", "picture")}
        lengths, problems = [len(f.stamp) for f in frames], list[str]()
        images = self._pictures(place, episodes, np.cumsum(lengths, dtype=np.int64) - np.array(lengths))
        pictures = ((row, shrunk_frame(image, self.config.max_side)) for row, image in images)
        offsets, size = append_pictures(output, pictures, sum(lengths), problems)
        readable = offsets[:, 1] > 0
        dropped["frames with a broken image"] += int((~readable).sum())
        finite = np.isfinite(columns["odometry"]).all(1) & np.isfinite(columns["command"]).all(1)
        dropped["frames with numbers that are not finite"] += int((~finite).sum())
        columns["picture"] = np.arange(len(offsets))
        kept = drop_short(Frames(**columns).select(readable & finite), self.config.alignment, dropped)
        found = {name: getattr(kept, name) for name in (*COLUMNS, "starts")} | {"offsets": offsets[kept.picture]}
        source = {"path": str(self.folder), "frames": len(kept.stamp), "problems": problems,
                  "topics": {role: name for role, (name, _) in self.roles.items()}}  # fmt: skip
        beams = kept.scan.shape[1]
        facts = {
            "source": source,
            "beams": beams,
            "image_size": size,
            "dropped": {k: v for k, v in dropped.items() if v},
        }
        output.add(found if len(kept.stamp) else {}, facts)

    def _frames(self, episode: Episode, dropped: Counter[str]) -> Frames:
        """The numbers of an episode, a row each period."""
        table = self._table(episode)
        stride, period = self.stride, self.config.alignment.period

        def role(name: str) -> NDArray[Any] | None:
            return pick(table, *self.roles[name])[::stride] if name in self.roles else None

        command = pick(table, *self.roles["command"]).astype(np.float64)
        starts = np.arange(0, len(command), stride)
        lengths = np.diff([*starts, len(command)])
        odometry = np.asarray(role("odometry"), np.float64)
        n = len(odometry)
        stamp, velocity, scan, truth = (role(r) for r in ("stamp", "velocity", "scan", "truth"))
        if stamp is None:
            stamp = (int(episode["dataset_from_index"]) + starts[:, None]) / self.info.fps
        if velocity is None:
            motion = relative(odometry[:-1], odometry[1:])[:, [0, 2, 1][: self.config.width]] / period
            velocity = np.concatenate([motion, motion[-1:]]) if len(motion) else np.zeros((n, self.config.width))
        if scan is not None:
            scan = np.where(scan > 0, scan, np.inf)
        return Frames(
            stamp=np.asarray(stamp, np.float64)[:, 0],
            picture=starts,
            scan=np.zeros((n, 0), np.float32) if scan is None else scan.astype(np.float32),
            odometry=odometry,
            command=(np.add.reduceat(command, starts) / lengths[:, None]).astype(np.float32),
            velocity=np.asarray(velocity, np.float32),
            truth=np.full((n, 3), np.nan) if truth is None else truth.astype(np.float64),
            starts=np.arange(n) == 0,
        )

    def _table(self, episode: Episode) -> Any:
        """The rows of an episode, in order."""
        (parquet,) = layout.needs("pyarrow.parquet")
        place = {key: int(episode[f"data/{key}"]) for key in ("chunk_index", "file_index")}
        file = self.folder / self.info.data_path.format(**place)
        wanted = {name for name, _ in self.roles.values() if self.info.features[name]["dtype"] != "video"}
        number = int(episode["episode_index"])
        table = parquet.read_table(
            file, columns=[*wanted, "frame_index"], filters=[("episode_index", "=", number)]
        ).sort_by("frame_index")
        if table.num_rows != int(episode["length"]):
            raise AmiError(f"{file} has {table.num_rows} rows of episode {number}, not {episode['length']}")
        return table

    def _pictures(
        self, place: tuple[int, int], episodes: list[Episode], firsts: NDArray[np.int64]
    ) -> Iterator[tuple[int, Image]]:
        """(row, picture) of the rows, which for each episode begin at `firsts`, in any order."""
        if not self.is_video:
            for episode, first in zip(episodes, firsts.tolist(), strict=True):
                cells = self._table(episode).column(self.camera).to_pylist()
                for i in range(0, len(cells), self.stride):
                    yield first + i // self.stride, decode_image(cells[i]["bytes"])
                self._tick(len(cells))
            return
        rows: dict[int, int] = {}
        for episode, first in zip(episodes, firsts.tolist(), strict=True):
            begin = round(float(episode[f"videos/{self.camera}/from_timestamp"]) * self.info.fps)
            rows |= {begin + i: first + i // self.stride for i in range(0, int(episode["length"]), self.stride)}
        assert self.info.video_path is not None
        chunk, file = place
        name = self.info.video_path.format(video_key=self.camera, chunk_index=chunk, file_index=file)
        for number, image in self._video(self.folder / name, rows):
            yield rows[number], image

    def _video(self, file: Path, wanted: Mapping[int, int]) -> Iterator[tuple[int, Image]]:
        """(number, picture) of the wanted frames of an MP4 file."""
        (av,) = layout.needs("av")
        try:
            with av.open(str(file)) as container:
                for frame in container.decode(video=0):
                    number = round(float(frame.time) * self.info.fps)
                    self._tick(1)
                    if number in wanted:
                        yield number, frame.to_ndarray(format="rgb24")
        except av.error.FFmpegError as error:
            raise AmiError(f"{file} cannot be decoded: {error}") from error

    def _tick(self, frames: int) -> None:
        self.done += frames
        if self.done % 100 < frames:
            self.progress(min(self.done, self.total), self.total)
