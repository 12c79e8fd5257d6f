from pathlib import Path

import numpy as np
import pytest

from ami_ros.console.kept import KEEP_OUT_MOST as MOST
from ami_ros.console.kept import KeepOutStrokes
from ami_ros.console.requests import KeepOut
from ami_ros.core.errors import AmiError

STROKE = KeepOut(((0.0, 0.0), (1.0, 0.0)), 0.3)


def test_a_stroke_leaves_no_gap_between_its_points() -> None:
    painted = KeepOutStrokes(None)
    painted.paint(STROKE, None)
    x = painted.circles[:, 0]
    assert x[0] == 0.0 and x[-1] == 1.0 and np.diff(x).max() <= 0.15 + 1e-9
    assert (painted.circles[:, 2] == 0.3).all()


def test_what_was_painted_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "home.memory.keep_out.json"
    painted = KeepOutStrokes(file)
    painted.paint(STROKE, None)
    painted.paint(KeepOut(((5.0, 5.0),)), None)
    again = KeepOutStrokes(file)
    assert np.allclose(again.circles, painted.circles, atol=1e-3)
    again.clear(last=True)
    assert len(KeepOutStrokes(file).circles) == len(painted.circles) - 1
    again.clear()
    assert len(KeepOutStrokes(file).circles) == 0


def test_the_robot_is_not_locked_in() -> None:
    painted = KeepOutStrokes(None)
    with pytest.raises(AmiError, match="robot stands there"):
        painted.paint(STROKE, np.array([0.5, 0.4, 0.0]), 0.2)
    painted.paint(STROKE, np.array([0.5, 0.6, 0.0]), 0.2)


def test_paint_without_end_is_refused() -> None:
    painted = KeepOutStrokes(None)
    with pytest.raises(AmiError, match=f"more than {MOST}"):
        painted.paint(KeepOut(((0.0, 0.0), (1e4, 0.0)), 0.1), None)
    assert len(painted.circles) == 0


@pytest.mark.parametrize(
    "text", ["", "{}", '{"strokes": 3}', '{"strokes": [[[1, 2]]]}', '{"strokes": [[[1, NaN, 1]]]}']
)
def test_a_damaged_file_is_an_error_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    """Rather than drive where it must not."""
    file = tmp_path / "keep_out.json"
    file.write_text(text)
    with pytest.raises(AmiError, match="mend or remove"):
        KeepOutStrokes(file)
    assert file.read_text() == text


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="cannot be written"):
        KeepOutStrokes(tmp_path / "no" / "folder.json").paint(STROKE, None)
