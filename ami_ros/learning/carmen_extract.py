"""Makes a data set from CARMEN logs: a row a scan, without pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.config import to_mapping
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.learning.carmen import CarmenLog, read_carmen
from ami_ros.learning.dataset import IMAGES, Dataset, Progress
from ami_ros.learning.dataset_writer import write_dataset
from ami_ros.learning.extract import ExtractConfig
from ami_ros.learning.resumable import open_partial
from ami_ros.scan import Mount
from ami_ros.world_model.perception import fit_scan

SAME_CLOCK = "stamps that do not advance: rows are taken to be one period apart"


def extract_carmen(logs: Sequence[Path], out: Path, config: ExtractConfig, progress: Progress) -> Dataset:
    """Reads `logs` into the new data set `out`, an episode each.

    Rows are as far apart as the scans are, which in most of these logs is a metre and not a time. Odometry is that of
    the scans, and counts as the truth, too; there are no commands.

    Raises:
        AmiError: a log cannot be read or has no scan, `out` exists or cannot be written.
    """
    out, partial = Path(out), Path(f"{out}.partial")
    if out.exists():
        raise AmiError(f"{out} exists already: name another folder, or remove it")
    try:
        plan = {"logs": [[str(log.resolve()), log.stat().st_size] for log in logs], "extraction": to_mapping(config)}
        with open_partial(partial, IMAGES, plan) as output:
            beams = output.parts[0].facts["beams"] if output.parts else 0
            for number in range(len(output.parts), len(logs)):
                log = read_carmen(logs[number])
                beams = beams or _beams(log, config.alignment.max_beams)
                output.add(_columns(log, beams, config), _facts(log, beams))
                progress(number + 1, len(logs))
            write_dataset(partial, output.parts, config.alignment.period, to_mapping(config))
        os.replace(partial, out)
    except OSError as error:
        raise AmiError(f"cannot write the data set {out}: {error.strerror or error}; mend it and repeat") from error
    return Dataset(out)


def _beams(log: CarmenLog, most: int) -> int:
    """Columns of the scan over the full circle."""
    return int(min(round(2 * np.pi / log.scans[0].scan.angle_increment), most))


def _stamps(log: CarmenLog, period: float) -> Array:
    """When each scan was taken [s]; some logs have lost it."""
    stamps = np.array([row.stamp for row in log.scans])
    return np.asarray(stamps if (np.diff(stamps) > 0).all() else period * np.arange(len(stamps)), np.float64)


def _columns(log: CarmenLog, beams: int, config: ExtractConfig) -> dict[str, NDArray[Any]]:
    n, none = len(log.scans), np.full(len(log.scans), np.nan)
    starts = np.zeros(n, bool)
    starts[0] = True
    return {
        "stamp": _stamps(log, config.alignment.period),
        "scan": np.stack([fit_scan(row.scan, beams) for row in log.scans]).astype(np.float32),
        "odometry": log.poses,
        "command": np.zeros((n, config.width), np.float32),
        "velocity": np.zeros((n, config.width), np.float32),
        "heading": none.astype(np.float32),
        "truth": log.poses,
        "joints": np.zeros((n, 0), np.float32),
        "starts": starts,
        "offsets": np.zeros((n, 2), np.int64),
    }


def _facts(log: CarmenLog, beams: int) -> dict[str, Any]:
    lost = not (np.diff([row.stamp for row in log.scans]) > 0).all()
    source = {"path": str(log.path), "frames": len(log.scans), "topics": {}, "problems": [SAME_CLOCK] if lost else []}
    dropped = {"lines that are damaged": log.skipped} if log.skipped else {}
    facts = {"source": source, "dropped": dropped, "beams": beams, "image_size": (0, 0), "joints": []}
    return facts | {"scanner": to_mapping(Mount(fixed=True))}
