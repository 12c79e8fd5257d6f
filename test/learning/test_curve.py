"""The picture of a training: drawn of what there is, whatever an interruption left."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from ami_ros.learning.curve import CURVE, PICTURE, _rows, draw_curve


def row(step: int, total: float) -> str:
    return json.dumps({"step": step, "prediction": total / 2, "total": total, "latent_rank": 7.0})


def test_a_curve_is_drawn_and_later_lines_of_one_step_count(tmp_path: Path) -> None:
    lines = [row(2, 3.0), row(4, 9.0), row(4, 2.0), row(6, 1.0), '{"step": 8, "tot']
    (tmp_path / CURVE).write_text("\n".join(lines))
    assert [(r["step"], r["total"]) for r in _rows(tmp_path / CURVE)] == [(2, 3.0), (4, 2.0), (6, 1.0)]
    draw_curve(tmp_path)
    picture = cv2.imread(str(tmp_path / PICTURE))
    assert picture is not None and picture.shape[1] > 1000 and picture.std() > 5


def test_without_a_curve_there_is_no_picture(tmp_path: Path) -> None:
    draw_curve(tmp_path)
    assert not list(tmp_path.iterdir())
