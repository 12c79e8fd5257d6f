"""Tables of a LeRobotDataset: statistics of features, and the files of tasks and episodes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.learning.lerobot_layout import EPISODES, INFO, STATS, TASKS, needs

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}

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
        **{name: np.quantile(values, share, axis=0) for name, share in QUANTILES.items()},
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
