"""Writes what was read from recordings as a data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.config import dump_yaml, from_mapping, to_mapping
from ami_ros.learning.alignment import COLUMNS
from ami_ros.learning.dataset import CARD, IMAGES, VERSION, DatasetCard, checksum
from ami_ros.learning.resumable import Part
from ami_ros.learning.scanner_mount import common_mount
from ami_ros.scan import Mount


def write_dataset(folder: Path, parts: list[Part], period: float, made_by: dict[str, Any]) -> None:
    """Writes the columns and the card beside the images.

    Args:
        folder: with the images.
        parts: what was read; their facts are `source`, `dropped`, `beams`, `scanner`, `image_size` and `joints`.
        period: between rows [s].
        made_by: the configuration, plain values.
    """
    full = [part for part in parts if part.columns]
    columns = {name: np.concatenate([part.columns[name] for part in full]) for name in (*COLUMNS, "offsets")}
    if all("imu" in part.columns for part in full):
        imu = np.concatenate([part.columns["imu"] for part in full])
        columns |= {"imu": imu} if np.isfinite(imu).any() else {}
    starts = np.concatenate([part.columns["starts"] for part in full])
    columns["episode"] = (np.cumsum(starts) - 1).astype(np.int32)
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    files = [folder / IMAGES, *(folder / f"{name}.npy" for name in columns)]
    dropped = sum((Counter(part.facts["dropped"]) for part in parts), Counter[str]())
    card = DatasetCard(
        version=VERSION,
        frames=len(starts),
        episodes=int(starts.sum()),
        minutes=round(len(starts) * period / 60, 2),
        period=period,
        image_size=tuple(full[0].facts["image_size"]),
        scan_beams=max(part.facts["beams"] for part in parts),
        has_heading=bool(np.isfinite(columns["heading"]).all()),
        has_truth=bool(np.isfinite(columns["truth"]).all()),
        has_odometry=bool(np.isfinite(columns["odometry"]).all()),
        has_command=bool(np.isfinite(columns["command"]).all()),
        checksum=checksum(folder),
        sizes={file.name: file.stat().st_size for file in sorted(files)},
        sources=tuple(part.facts["source"] for part in parts),
        dropped=dict(dropped),
        extraction=made_by,
        scanner=common_mount(from_mapping(Mount, found) for part in parts if (found := part.facts.get("scanner"))),
        joints=next((tuple(part.facts["joints"]) for part in full if part.facts["joints"]), ()),
    )
    (folder / CARD).write_text(dump_yaml(to_mapping(card)), "utf-8")
