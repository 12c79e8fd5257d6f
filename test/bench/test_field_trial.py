"""The trial: step by step, interrupted anywhere, and a report that needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.bench.field_trial import (
    STEPS,
    Ended,
    FieldTrial,
    Operator,
    TrialState,
    config_of,
    read_state,
    summary,
    write_report,
)
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import drawn_robot
from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.learning.dataset_writer import encode_frame

CONFIG = {"goals": 3, "minutes": 0.1, "leash": 4.0}
WHOLE = ["", "", "", "", "", "y", "0.12", "0", "", "n", "1,5", "1", "", "y", "", "", "the floor is wet"]


class Drawn:
    """A robot drawn by a seed in a simulated room, which is put where its goals are, more or less."""

    def __init__(self, seed: int, errors: list[float]) -> None:
        self.name = str(drawn_robot(f"drawn:{seed}")["name"])
        self._robot = Loopback("empty", image_size=32, seed=seed)
        self._rng, self._errors = np.random.default_rng(seed), iter(errors)
        self.sent: list[str] = []
        self.begun = 0
        self.findings = [{"severity": "warning", "topic": "/scan", "text": "7 Hz", "remedy": "rate: 7"}]

    def doctor(self) -> list[dict[str, str]]:
        return self.findings

    def begin(self) -> None:
        self.begun += 1

    def picture(self) -> bytes | None:
        seen = self._robot.observe()
        for _ in range(5):
            self._robot.step((0.3, 0.8), 0.2)
        return None if seen.image is None else encode_frame(seen.image)

    def pose(self) -> tuple[float, float, float] | None:
        x, y, yaw = self._robot.observe().odometry
        return float(x), float(y), float(yaw)

    def explore(self, seconds: float) -> Ended:
        return Ended(True, f"explored {seconds:g} s")

    def go(self, goal: str, timeout: float) -> Ended:
        self.sent.append(goal)
        off = next(self._errors)
        return Ended(off < 0.5, f"{off:.2f} m away", 0 if off < 0.5 else 10317)

    def figures(self) -> dict[str, Any]:
        x, y, _ = self.pose() or (0.0, 0.0, 0.0)
        path = [[x, y], [x + 1.0, y]]
        return {"rate_hz": {"scan": 7.1}, "contacts": 1, "surprises": 2, "largest": float("nan"), "path": path}


def operator(lines: list[str], heard: list[str], ends: type[BaseException] = EOFError) -> Operator:
    """Types these lines, and then is gone."""
    left: Iterator[str] = iter(lines)

    def read() -> str:
        line = next(left, None)
        if line is None:
            raise ends
        return line

    return Operator(read, heard.append)


def trial(
    folder: Path, robot: Drawn, lines: list[str], ends: type[BaseException] = EOFError
) -> tuple[FieldTrial, list[str]]:
    state = read_state(folder) or TrialState(robot.name, dict(CONFIG))
    heard: list[str] = []
    return FieldTrial(folder, state, robot, operator(lines, heard, ends), config_of(dict(CONFIG))), heard


@pytest.mark.parametrize("seed", range(3))
def test_a_whole_trial_of_a_drawn_robot_is_in_its_report(tmp_path: Path, seed: int) -> None:
    robot = Drawn(seed, [0.1, 0.2, 0.3])
    led, heard = trial(tmp_path, robot, WHOLE)
    assert led.run() and led.state.done == list(STEPS)
    assert robot.sent == [str(tmp_path / f"mark_0{k}.jpg") for k in (1, 2, 3)]
    found = summary(led.state)
    assert (found["goals"], found["reached"], found["false_claims"], found["touched"]) == (3, 2, 1, 1)
    assert found["off_by_tape_median_m"] == pytest.approx(0.81) and found["measured_by_tape"] == 2
    page = write_report(tmp_path, led.state).read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 6 and "the floor is wet" in page and "7 Hz" in page
    assert not re.search(r'(src|href)="(?!data:)', page) and "http" not in page
    json.loads((tmp_path / "trial.json").read_text())
    assert any("it says that it is there" in line for line in heard)


def test_a_trial_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    for count in range(len(WHOLE) + 1):
        folder = tmp_path / str(count)
        folder.mkdir()
        robot = Drawn(1, [0.1] * 9)
        ends = KeyboardInterrupt if count % 2 else EOFError
        led, _ = trial(folder, robot, WHOLE[:count], ends)
        try:
            complete = led.run()
        except KeyboardInterrupt:
            complete = False
        before = read_state(folder)
        assert before is not None and complete == (count == len(WHOLE))
        again, heard = trial(folder, robot, [*_rest(before), "y", "", "", ""])
        assert again.run(), heard
        assert [goal.mark for goal in again.state.goals] == ["mark_01", "mark_02", "mark_03"]
        assert again.state.goals[: len(before.goals)] == before.goals and again.state.sittings == 2
        assert (folder / "report.html").exists() or write_report(folder, again.state).is_file()


def _rest(state: TrialState) -> list[str]:
    """What is left to type."""
    lines: list[str] = []
    if "drive" not in state.done:
        lines += [""] * (CONFIG["goals"] - len(state.marks))  # type: ignore[operator]
    if "explore" not in state.done:
        lines += [""]
    for _ in range(int(CONFIG["goals"]) - len(state.goals)):
        lines += ["", "y", "", ""]
    return lines


def test_an_operator_who_types_nonsense_is_asked_again(tmp_path: Path) -> None:
    lines = ["what", "", "d", "", "", "maybe", "y", "-1", "far", "nan", "0.5", "", "", "n", "", "", "", "n", "", "", ""]
    led, heard = trial(tmp_path, Drawn(2, [0.1] * 3), lines)
    assert led.run() and led.state.goals[0].off_m == 0.5
    assert [goal.mark for goal in led.state.goals] == ["mark_01"] * 3
    assert sum("a number from 0 to" in line for line in heard) == 3


def test_errors_of_the_doctor_stop_a_trial_unless_the_operator_insists(tmp_path: Path) -> None:
    robot = Drawn(3, [])
    robot.findings = [{"severity": "error", "topic": "/odom", "text": "nobody publishes it", "remedy": ""}]
    led, _ = trial(tmp_path, robot, ["n"])
    assert not led.run() and led.state.done == [] and robot.begun == 0


def test_a_damaged_state_and_impossible_settings_are_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text('{"robot": "x", "surprise": 1}')
    with pytest.raises(AmiError, match="cannot be read"):
        read_state(tmp_path)
    with pytest.raises(AmiError, match="leash"):
        config_of({"leash": 0.0})


def test_what_the_report_shows_is_escaped(tmp_path: Path) -> None:
    state = TrialState("<script>", notes=["<b>x</b>"])
    page = write_report(tmp_path, state).read_text("utf-8")
    assert "<script>" not in page and "<b>x" not in page
