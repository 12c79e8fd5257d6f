"""What the client makes of words, and of the ends of actions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace as Answer

import numpy as np
import pytest
from action_msgs.msg import GoalStatus

from ami_interfaces.action import NavigateToGoal
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png
from ami_ros.ros.goals.robot_client import End, outcome_of, panorama_goal, picture_goal, pose_of


@pytest.mark.parametrize(
    ("text", "pose"),
    [
        ("1,2", [1, 2]), ("-1.5, 2e0,0.5", [-1.5, 2, 0.5]), ("kitchen", None), ("1", None), ("1,2,3,4", None),
        ("a,b", None), ("nan,1", None), ("1,", None), ("1.2.3,4", None), (".5,+1.", [0.5, 1]),
    ],
)  # fmt: skip
def test_poses_are_two_or_three_numbers(text: str, pose: list[float] | None) -> None:
    found = pose_of(text)
    assert (found.tolist() if found is not None else None) == pose


def test_a_pose_beyond_any_building_is_one_line() -> None:
    with pytest.raises(AmiError, match="1e999,0: a number is beyond"):
        pose_of("1e999,0")


def test_a_picture_is_a_file_that_is_one(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.png", tmp_path / "b.png"
    good.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    bad.write_bytes(b"no picture")
    assert bytes(picture_goal(good).image.data) == good.read_bytes()
    with pytest.raises(AmiError, match=r"b\.png"):
        picture_goal(bad)


def test_a_folder_of_pictures_is_a_goal_that_was_seen_all_round(tmp_path: Path) -> None:
    for name in ("0.png", "120.png", "-60.5.png"):
        (tmp_path / name).write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    (tmp_path / "notes.txt").write_text("taken on Monday")
    goal = panorama_goal(tmp_path)
    assert bytes(goal.image.data) == (tmp_path / "0.png").read_bytes()
    assert [view.turn for view in goal.views] == pytest.approx(np.radians([-60.5, 120.0]).tolist(), abs=1e-6)


def test_a_folder_that_is_no_goal_says_why(tmp_path: Path) -> None:
    picture = encode_png(np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "90.png").write_bytes(picture)
    with pytest.raises(AmiError, match="no picture is named 0"):
        panorama_goal(tmp_path)
    (tmp_path / "0.png").write_bytes(b"no picture")
    with pytest.raises(AmiError, match=r"0\.png"):
        panorama_goal(tmp_path)
    for turn in range(0, 360, 20):
        (tmp_path / f"{turn}.png").write_bytes(picture)
    with pytest.raises(AmiError, match="at most 12"):
        panorama_goal(tmp_path)


@pytest.mark.parametrize(
    ("status", "code", "end"),
    [
        (GoalStatus.STATUS_SUCCEEDED, 0, End.REACHED),
        (GoalStatus.STATUS_ABORTED, NavigateToGoal.Result.UNKNOWN_PLACE, End.FAILED),
        (GoalStatus.STATUS_ABORTED, NavigateToGoal.Result.TIMEOUT, End.TIMEOUT),
        (GoalStatus.STATUS_ABORTED, NavigateToGoal.Result.PREEMPTED, End.CANCELED),
        (GoalStatus.STATUS_CANCELED, 0, End.CANCELED),
        (GoalStatus.STATUS_UNKNOWN, 0, End.LOST),
    ],
)
def test_every_end_has_its_exit_code(status: int, code: int, end: End) -> None:
    result = NavigateToGoal.Result(error_code=code, error_msg="why")
    outcome = outcome_of(Answer(status=status, result=result))
    assert outcome.end is end and (end is End.REACHED) == (int(end) == 0) and outcome.message
