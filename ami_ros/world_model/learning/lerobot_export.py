"""The layout of LeRobotDataset v3: many episodes in Parquet and MP4 files, and tables that say where each begins.

Written and read without the package lerobot, by pyarrow and PyAV (the extra `lerobot`). Checked against
src/lerobot/datasets of lerobot (utils.py, dataset_metadata.py, dataset_writer.py; docs/source/lerobot-dataset-v3.mdx).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core import commands
from ami_ros.core.errors import AmiError
from ami_ros.core.images import decode_image
from ami_ros.core.installation import need
from ami_ros.world_model.learning.dataset import Dataset, Progress

VERSION = "v3.0"
INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA = f"data/{FILE}.parquet"
VIDEO = f"videos/{{video_key}}/{FILE}.mp4"
EPISODES = f"meta/episodes/{FILE}.parquet"
FILES_A_CHUNK = 1000

CAMERA, STATE, ACTION = "observation.images.camera", "observation.state", "action"
SCAN, TRUTH, STAMP = "observation.scan", "observation.truth", "observation.stamp"
POSE_NAMES = ("x", "y", "yaw")  # of odometry [m, m, rad]; the state has the measured velocity behind it
INDICES = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
           "task_index": "int64"}  # fmt: skip


def needs(*modules: str) -> list[Any]:
    """The modules of the extra `lerobot`. Raises AmiError: it is not installed."""
    return [need(module, "lerobot") for module in modules]


def is_lerobot(folder: Path) -> bool:
    """Whether there is a LeRobotDataset, of any version."""
    return (folder / INFO).is_file()


@dataclass(frozen=True)
class Info:
    """What `meta/info.json` says, as far as it is needed."""

    fps: float
    features: dict[str, Any]
    data_path: str
    video_path: str | None
    robot_type: str | None


def read_info(folder: Path) -> Info:
    """Reads `meta/info.json`.

    Raises:
        AmiError: it is not readable, or of another version.
    """
    try:
        values = json.loads((folder / INFO).read_text("utf-8"))
        version = str(values["codebase_version"])
        if not version.startswith("v3."):
            raise AmiError(f"{folder} is a LeRobotDataset {version}: convert it to v3.0 by lerobot's own script first")
        return Info(
            float(values["fps"]), dict(values["features"]), str(values["data_path"]), values.get("video_path"),
            values.get("robot_type"),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AmiError(f"{folder / INFO} cannot be read ({type(error).__name__}: {error})") from error


# A data set as LeRobotDataset v3: Parquet for numbers, MP4 for the camera.


Statistics = dict[str, list[Any]]


def statistics(values: NDArray[Any], count: int, shape: tuple[int, ...] | None = None) -> Statistics:
    """What lerobot normalises by.

    Args:
        values: (n, numbers).
        count: of the frames that they stand for.
        shape: of each statistic; None: (numbers,).
    """
    found = {
        "min": values.min(0),
        "max": values.max(0),
        "mean": values.mean(0),
        "std": values.std(0),
        **{f"q{share:02d}": np.quantile(values, share / 100, axis=0) for share in (1, 10, 50, 90, 99)},
    }
    as_lists = {name: np.asarray(v, np.float64).reshape(shape or v.shape).tolist() for name, v in found.items()}
    return as_lists | {"count": [count]}


def picture_statistics(images: NDArray[np.uint8], count: int) -> Statistics:
    """The same of pictures (n, H, W, 3), in [0, 1], one number a channel."""
    return statistics(images.reshape(-1, 3) / 255.0, count, (3, 1, 1))


def write_tasks(folder: Path, tasks: Sequence[str]) -> None:
    """Writes `meta/tasks.parquet`: a table whose index, as pandas reads it, is the task's text."""
    pyarrow, parquet = needs("pyarrow", "pyarrow.parquet")
    table = pyarrow.table({"task_index": pyarrow.array(range(len(tasks)), "int64"), "task": list(tasks)})

    def column(name: str, kind: str, numpy_type: str) -> dict[str, Any]:
        return {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_type, "metadata": None}

    pandas = {
        "index_columns": ["task"],
        "column_indexes": [column("", "unicode", "object") | {"name": None, "field_name": None}],
        "columns": [column("task_index", "int64", "int64"), column("task", "unicode", "object")],
        "pandas_version": "2.2.0",
    }
    parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), folder / TASKS)


def write_episodes(folder: Path, episodes: Sequence[Mapping[str, Any]]) -> None:
    """Writes `meta/episodes`: a row an episode, of the same keys each."""
    pyarrow, parquet = needs("pyarrow", "pyarrow.parquet")
    place = {"chunk_index": 0, "file_index": 0}
    file = folder / EPISODES.format(**place)
    file.parent.mkdir(parents=True)
    rows = [{**episode, **{f"meta/episodes/{key}": value for key, value in place.items()}} for episode in episodes]
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)


def write_json(folder: Path, info: Mapping[str, Any], stats: Mapping[str, Statistics]) -> None:
    """Writes `meta/info.json` and `meta/stats.json`."""
    for name, content in ((INFO, info), (STATS, stats)):
        (folder / name).write_text(json.dumps(content, indent=4) + "\n", "utf-8")


def export_lerobot(
    dataset: Dataset, out: Path, task: str, progress: Progress | None = None, shard_rows: int = 50_000
) -> None:
    """Writes `dataset` to the new folder `out`, whole or not at all.

    Scans read 0 where nothing returned; commands are the action, odometry and measured velocity the state.

    Args:
        dataset: its period has to be a whole number of frames a second.
        out: must not exist.
        task: in words, the same for all episodes.
        progress: called with frames done, and of all.
        shard_rows: of a pair of files: below lerobot's limits of 100 MB of numbers and 200 MB of video.

    Raises:
        AmiError: as said, the extra is missing, or the disk is full.
    """
    needs("pyarrow", "av")
    fps = round(1 / dataset.period)
    if abs(fps * dataset.period - 1) > 1e-6:
        raise AmiError(f"{dataset.folder}: LeRobot counts whole frames a second, not one each {dataset.period:g} s")
    if out.exists():
        raise AmiError(f"{out} exists already: name another folder, or remove it")
    partial = Path(f"{out}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        (partial / "meta").mkdir(parents=True)
        _Export(dataset, partial, fps, shard_rows, progress or (lambda done, total: None)).write(task)
        os.replace(partial, out)
    except OSError as error:
        raise AmiError(f"cannot write {out}: {error.strerror or error}; make room or name another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def columns_of(dataset: Dataset, rows: slice) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
    """What is written of each row, by feature."""
    state = np.concatenate([dataset.odometry[rows], dataset.velocity[rows]], axis=1)
    found: dict[str, Any] = {
        STATE: state.astype(np.float32),
        ACTION: np.asarray(dataset.command[rows], np.float32),
        STAMP: np.asarray(dataset.stamp[rows], np.float64)[:, None],
    }
    if dataset.card.scan_beams:
        scan = np.asarray(dataset.scan[rows], np.float32)
        found[SCAN] = np.where(np.isfinite(scan), scan, 0).astype(np.float32)
    if dataset.card.has_truth:
        found[TRUTH] = np.asarray(dataset.truth[rows], np.float32)
    return found


def _names(feature: str, width: int) -> list[str] | None:
    """What the numbers of a feature are called."""
    named = {
        STATE: [*POSE_NAMES, *commands.NAMES],
        ACTION: commands.NAMES,
        TRUTH: POSE_NAMES,
    }
    return list(named[feature][:width]) if feature in named else None


@dataclass
class _Shard:
    """A Parquet and an MP4 file being written."""

    number: int
    data: Any
    video: Any
    stream: Any
    rows: int = 0
    place: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        chunk, file = divmod(self.number, FILES_A_CHUNK)
        self.place = {"chunk_index": chunk, "file_index": file}

    def close(self) -> None:
        """Ends both files."""
        for packet in self.stream.encode():
            self.video.mux(packet)
        self.video.close()
        self.data.close()


class _Export:
    def __init__(self, dataset: Dataset, folder: Path, fps: int, shard_rows: int, progress: Progress) -> None:
        self.dataset, self.folder, self.fps, self.progress = dataset, folder, fps, progress
        self.shard_rows = shard_rows
        width, height = dataset.card.image_size
        self.size = (width - width % 2, height - height % 2)  # chroma has half the resolution
        self.shard: _Shard | None = None

    def write(self, task: str) -> None:
        """Everything."""
        episodes = []
        try:
            for number, (start, stop) in enumerate(self.dataset.episodes):
                episodes.append(self._episode(number, start, stop, task))
        finally:
            if self.shard is not None:
                self.shard.close()
        write_tasks(self.folder, [task])
        write_episodes(self.folder, episodes)
        write_json(self.folder, self._info(len(episodes)), self._total())

    def _episode(self, number: int, start: int, stop: int, task: str) -> dict[str, Any]:
        """Writes one episode; its row for `meta/episodes`."""
        shard = self._shard_for(stop - start)
        columns = columns_of(self.dataset, slice(start, stop))
        stats = {name: statistics(values, stop - start) for name, values in columns.items()}
        shard.data.write_table(self._table(columns, number, start, stop))
        sample: list[NDArray[np.uint8]] = []
        step = max(1, (stop - start) // 50)  # pictures of an episode are sampled for the statistics
        for row in range(start, stop):
            image = self._image(row)
            self._encode(shard, image)
            if (row - start) % step == 0:
                sample.append(image)
            if row % 100 == 0 or row + 1 == len(self.dataset):
                self.progress(row + 1, len(self.dataset))
        stats[CAMERA] = picture_statistics(np.stack(sample), len(sample))
        first, shard.rows = shard.rows, shard.rows + stop - start
        video = {f"videos/{CAMERA}/{key}": value for key, value in shard.place.items()}
        return {
            "episode_index": number,
            "tasks": [task],
            "length": stop - start,
            **{f"data/{key}": value for key, value in shard.place.items()},
            "dataset_from_index": start,
            "dataset_to_index": stop,
            **video,
            f"videos/{CAMERA}/from_timestamp": first / self.fps,
            f"videos/{CAMERA}/to_timestamp": shard.rows / self.fps,
            **{f"stats/{name}/{key}": value for name, s in stats.items() for key, value in s.items()},
        }

    def _shard_for(self, rows: int) -> _Shard:
        """The open pair of files, or a new one if this has too many rows."""
        if self.shard is not None and self.shard.rows + rows <= self.shard_rows:
            return self.shard
        number = 0
        if self.shard is not None:
            number = self.shard.number + 1
            self.shard.close()
        (av, parquet) = needs("av", "pyarrow.parquet")
        shard = _Shard(number, None, None, None)
        data = self.folder / DATA.format(**shard.place)
        video = self.folder / VIDEO.format(video_key=CAMERA, **shard.place)
        for file in (data, video):
            file.parent.mkdir(parents=True, exist_ok=True)
        shard.data = parquet.ParquetWriter(data, self._table(columns_of(self.dataset, slice(0, 1)), 0, 0, 1).schema)
        shard.video = av.open(str(video), "w")
        # Quality near the JPEG files' own, and every other picture in full, as lerobot has it for random access.
        options = {"crf": "16", "g": "2", "preset": "veryfast"}
        shard.stream = shard.video.add_stream("libx264", rate=self.fps, options=options)
        shard.stream.width, shard.stream.height = self.size
        shard.stream.pix_fmt, shard.stream.time_base = "yuv420p", Fraction(1, self.fps)
        self.shard = shard
        return shard

    def _table(self, columns: dict[str, Any], number: int, start: int, stop: int) -> Any:
        (pyarrow,) = needs("pyarrow")
        count = stop - start
        arrays = {}
        for name, values in columns.items():
            kind = pyarrow.from_numpy_dtype(values.dtype)
            flat = pyarrow.array(values.ravel(), kind)
            arrays[name] = (
                flat if values.shape[1] == 1 else pyarrow.FixedSizeListArray.from_arrays(flat, values.shape[1])
            )
        indices = {
            "timestamp": np.arange(count) / self.fps,
            "frame_index": np.arange(count),
            "episode_index": np.full(count, number),
            "index": np.arange(start, stop),
            "task_index": np.zeros(count),
        }
        for name, values in indices.items():
            arrays[name] = pyarrow.array(values.astype(INDICES[name]))
        return pyarrow.table(arrays)

    def _image(self, row: int) -> NDArray[np.uint8]:
        """A picture in the size of the video; others are stretched to it, which `extract` has warned of."""
        image = decode_image(self.dataset.jpeg(row))
        width, height = self.size
        if image.shape[:2] != (height, width):
            image = np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_AREA), np.uint8)
        return image

    def _encode(self, shard: _Shard, image: NDArray[np.uint8]) -> None:
        (av,) = needs("av")
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        for packet in shard.stream.encode(frame):
            shard.video.mux(packet)

    def _info(self, episodes: int) -> dict[str, Any]:
        """The content of `meta/info.json`."""
        width, height = self.size
        features: dict[str, Any] = {
            CAMERA: {
                "dtype": "video",
                "shape": [height, width, 3],
                "names": ["height", "width", "channels"],
                "info": {
                    "video.height": height, "video.width": width, "video.codec": "h264", "video.pix_fmt": "yuv420p",
                    "video.fps": self.fps, "video.channels": 3, "has_audio": False, "is_depth_map": False,
                },
            }
        }  # fmt: skip
        for name, values in columns_of(self.dataset, slice(0, 1)).items():
            features[name] = {
                "dtype": values.dtype.name,
                "shape": [values.shape[1]],
                "names": _names(name, values.shape[1]),
            }
        features |= {name: {"dtype": kind, "shape": [1], "names": None} for name, kind in INDICES.items()}
        return {
            "codebase_version": VERSION,
            "robot_type": "mobile base",
            "total_episodes": episodes,
            "total_frames": len(self.dataset),
            "total_tasks": 1,
            "chunks_size": FILES_A_CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self.fps,
            "splits": {"train": f"0:{episodes}"},
            "data_path": DATA,
            "video_path": VIDEO,
            "features": features,
        }

    def _total(self) -> dict[str, Statistics]:
        """Statistics of all rows; those of the pictures from one sample of all episodes."""
        stats = {n: statistics(v, len(self.dataset)) for n, v in columns_of(self.dataset, slice(None)).items()}
        rows = np.linspace(0, len(self.dataset) - 1, min(len(self.dataset), 200)).astype(int)
        stats[CAMERA] = picture_statistics(np.stack([self._image(int(row)) for row in rows]), len(rows))
        return stats
