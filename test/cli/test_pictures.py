"""`ami film`: a GIF of a recorded drive shows the floor as it was seen, the camera, and more with each picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from ami_ros.cli.pictures import FLOOR, ROBOT, WALL
from ami_ros.cli.watching import film as make_film
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.bag_writer import BagWriter


def recorded(folder: Path, scans: bool = True) -> Path:
    """Six seconds straight on in a round room of 3 m; the first scan has no beams."""
    with BagWriter(folder) as bag:
        for k in range(30):
            stamp, x = 10.0 + 0.2 * k, 0.05 * k
            bag.odometry("odom", stamp, np.array([x, 0.0, 0.0]), (0.25, 0.0))
            if scans:
                angles = np.arange(72) * 2 * np.pi / 72
                ranges = -x * np.cos(angles) + np.sqrt(9.0 - (x * np.sin(angles)) ** 2)
                bag.scan("scan", stamp, ranges[: None if k else 0].astype(np.float32), 0.0, 2 * np.pi / 72)
            green = cv2.imencode(".jpg", np.full((48, 64, 3), (0, 200, 0), np.uint8))[1].tobytes()
            bag.image("image", stamp, green)
    return folder


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """How many pixels are about of that colour."""
    return int((np.abs(picture.astype(int) - colour).max(-1) < 30).sum())


def test_the_map_grows_the_robot_moves_and_the_camera_is_shown(tmp_path: Path) -> None:
    out = tmp_path / "drive.gif"
    make_film(recorded(tmp_path / "bag"), out, seconds=2.0, rate=5.0, width=320)
    film: Any = Image.open(out)
    assert (film.n_frames, film.size) == (10, (320, 200)) and out.stat().st_size < 500_000
    frames = []
    for k in range(film.n_frames):
        film.seek(k)
        frames.append(np.asarray(film.convert("RGB")))
    assert min(near(frame, FLOOR) for frame in frames) > 500
    assert near(frames[-1], WALL) > near(frames[0], WALL), "walls are what was seen twice"
    columns = [np.argwhere(np.abs(f.astype(int) - ROBOT).max(-1) < 30)[:, 1].mean() for f in (frames[0], frames[-1])]
    assert columns[1] > columns[0] + 5, "it drives to the right"
    assert near(frames[-1], (0, 200, 0)) > 300


def test_what_cannot_be_filmed_is_one_line(tmp_path: Path) -> None:
    bag = recorded(tmp_path / "blind", scans=False)
    with pytest.raises(AmiError, match="has no scan"):
        make_film(bag, tmp_path / "a.gif", 2.0, 5.0, 320)
    with pytest.raises(AmiError, match=r"must end in \.gif"):
        make_film(bag, tmp_path / "a.mp4", 2.0, 5.0, 320)
    (tmp_path / "b.gif").touch()
    with pytest.raises(AmiError, match="exists already"):
        make_film(bag, tmp_path / "b.gif", 2.0, 5.0, 320)
