"""The layout of LeRobotDataset v3: many episodes in Parquet and MP4 files, and tables that say where each begins.

Written and read without the package lerobot, by pyarrow and PyAV (the extra `lerobot`). Checked against
src/lerobot/datasets of lerobot (utils.py, dataset_metadata.py, dataset_writer.py; docs/source/lerobot-dataset-v3.mdx).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.extras import need

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
