"""Writes tubs as donkeycar 5 does (parts/datastore_v2.py), and version 1 did, of a car that turns in a painted room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.world_model.learning.dataset_writer import encode_frame

BEGAN = 1_709_732_480_000  # [ms], when the first frame was taken
IMU = [f"imu/{kind}_{axis}" for kind in ("acl", "gyr") for axis in "xyz"]
A_CATALOG = 1000
TURN = 1.5  # [rad/s] at full steering


def panorama(seed: int = 3, width: int = 720) -> NDArray[np.uint8]:
    """A wall all around, painted with stripes and patches (120, width, 3)."""
    rng = np.random.default_rng(seed)
    wall = np.full((120, width, 3), 200, np.uint8)
    for _ in range(40):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, 100))
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        cv2.rectangle(wall, (x, y), (x + int(rng.integers(10, 60)), y + int(rng.integers(10, 60))), colour, -1)
    return wall


def drive(frames: int, seed: int = 0, rate: float = 20.0) -> tuple[list[NDArray[np.uint8]], NDArray[np.float64]]:
    """Pictures (120, 160, 3) and (steering, throttle) of each frame; right is positive, as Donkeycar has it."""
    rng, wall, angle, steering = np.random.default_rng(seed), panorama(), 0.0, 0.0
    pictures, actions = [], []
    for number in range(frames):
        if number % 20 == 0:
            steering = float(rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0]))
        at = int(angle / (2 * np.pi) * wall.shape[1]) % wall.shape[1]
        pictures.append(np.roll(wall, -at, 1)[:, :160])
        actions.append((steering, 0.3))
        angle += TURN * steering / rate
    return pictures, np.array(actions)


def record_of(number: int, action: NDArray[np.float64], imu: bool, rate: float = 20.0) -> dict[str, Any]:
    """One record, as a line of a catalog has it."""
    found: dict[str, Any] = {
        "_index": number,
        "_session_id": "24-03-06_0",
        "_timestamp_ms": BEGAN + round(1000 * number / rate),
        "cam/image_array": f"{number}_cam_image_array_.jpg",
        "user/angle": float(action[0]),
        "user/mode": "user",
        "user/throttle": float(action[1]),
    }
    if imu:
        turn = -np.degrees(TURN * action[0])
        found |= dict(zip(IMU, [0.1, 0.0, 9.8, 0.0, 0.0, float(turn)], strict=True))
    return found


def write_tub(
    folder: Path, frames: int = 200, imu: bool = False, deleted: tuple[int, ...] = (), seed: int = 0, rate: float = 20.0
) -> Path:
    """A tub of version 2."""
    pictures, actions = drive(frames, seed, rate)
    records = [record_of(i, action, imu, rate) for i, action in enumerate(actions)]
    write_records(folder, records, deleted)
    for number, picture in enumerate(pictures):
        (folder / "images" / f"{number}_cam_image_array_.jpg").write_bytes(encode_frame(picture))
    return folder


def write_records(folder: Path, records: list[dict[str, Any]], deleted: tuple[int, ...] = ()) -> None:
    """Manifest and catalogs of `records`, without pictures."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    names, kinds = (
        ["cam/image_array", "user/angle", "user/throttle", "user/mode"],
        ["image_array", "float", "float", "str"],
    )
    if records and IMU[0] in records[0]:
        names, kinds = names + IMU, kinds + ["float"] * len(IMU)
    paths = []
    for start in range(0, len(records), A_CATALOG):
        lines = [json.dumps(record, sort_keys=True) + "\n" for record in records[start : start + A_CATALOG]]
        paths.append(f"catalog_{start // A_CATALOG}.catalog")
        (folder / paths[-1]).write_text("".join(lines))
        about = {"created_at": BEGAN / 1e3, "line_lengths": [len(line) for line in lines], "path": paths[-1],
                 "start_index": start}  # fmt: skip
        (folder / f"{paths[-1]}_manifest").write_text(json.dumps(about) + "\n")
    sessions = {"all_full_ids": ["24-03-06_0"], "last_id": 0, "last_full_id": "24-03-06_0"}
    about = {"paths": paths, "current_index": len(records), "max_len": A_CATALOG, "deleted_indexes": list(deleted)}
    lines = [names, kinds, {}, {"created_at": BEGAN / 1e3, "sessions": sessions}, about]  # type: ignore[list-item]
    (folder / "manifest.json").write_text("\n".join(map(json.dumps, lines)) + "\n")


def write_old_tub(folder: Path, frames: int = 200, stamped: bool = True) -> Path:
    """A tub of version 1: a JSON file a frame."""
    folder.mkdir(parents=True)
    pictures, actions = drive(frames)
    (folder / "meta.json").write_text(json.dumps({"inputs": ["cam/image_array"], "types": ["image_array"], "start": 0}))
    for number, (picture, action) in enumerate(zip(pictures, actions, strict=True)):
        name = f"{number}_cam-image_array_.jpg"
        (folder / name).write_bytes(encode_frame(picture))
        values = {"user/angle": action[0], "user/throttle": action[1], "user/mode": "user", "cam/image_array": name}
        values |= {"milliseconds": 50 * number} if stamped else {}
        (folder / f"record_{number}.json").write_text(json.dumps(values))
    return folder
