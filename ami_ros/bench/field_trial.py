"""The first hour on a robot: what an operator and the robot do in turn, kept in a file so that it can go on later; and
its report as one HTML file, which needs no network and can be sent.

Doctor, a short drive by hand in which the operator marks spots on the floor, exploring on a leash, and goals: the robot
goes back to the marks, and the operator says of each whether it is there, and how far off by tape.
"""

from __future__ import annotations

import base64
import html
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ami_ros.bench.report import SuccessRate, write_json
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError

STEPS = ("doctor", "drive", "explore", "goals")


class Stopped(Exception):
    """The operator ends here; what was done is kept."""


class Operator:
    """Who stands beside the robot.

    Args:
        read: gives the next line that was typed; EOFError where there will be none.
        say: shows a line.
    """

    def __init__(self, read: Callable[[], str], say: Callable[[str], None]) -> None:
        self._read, self.say = read, say

    def answer(self, question: str) -> str:
        """What was typed, without blanks around it. Raises Stopped: q, or nobody is there any more."""
        self.say(question)
        try:
            typed = self._read().strip()
        except EOFError:
            raise Stopped from None
        if typed.lower() in ("q", "quit"):
            raise Stopped
        return typed

    def confirms(self, question: str) -> bool:
        """Yes or no, asked until it is one of them."""
        while True:
            typed = self.answer(f"{question} [y/n]").lower()
            if typed in ("y", "yes", "n", "no"):
                return typed.startswith("y")

    def number(self, question: str, most: float) -> float | None:
        """A number from 0 to `most`, asked until it is one; None: Enter alone."""
        while True:
            typed = self.answer(f"{question} [Enter: not known]")
            if not typed:
                return None
            try:
                value = float(typed.replace(",", "."))
            except ValueError:
                value = math.nan
            if 0.0 <= value <= most:
                return value
            self.say(f"a number from 0 to {most:g}, please")


@dataclass(frozen=True)
class Ended:
    """What came of a drive."""

    reached: bool
    message: str
    code: int = 0


class Robot(Protocol):
    """What a trial asks of a robot and its stack."""

    def doctor(self) -> list[dict[str, str]]:
        """Findings: severity (ok, warning, error), topic, text, remedy."""

    def begin(self) -> None:
        """Starts the stack, the recording and the watch. Raises AmiError: it does not come up."""

    def picture(self) -> bytes | None:
        """What the camera sees, as JPEG; None: it sees nothing."""

    def pose(self) -> tuple[float, float, float] | None:
        """Where it believes to be in its map [m, m, rad]; None: it does not know."""

    def explore(self, seconds: float) -> Ended: ...

    def go(self, goal: str, timeout: float) -> Ended: ...

    def figures(self) -> dict[str, Any]:
        """What was watched since the last call: rates, latencies, contacts, surprises, stops of the gate, path."""


@dataclass
class Mark:
    """A spot on the floor that the operator has marked."""

    name: str
    pose: tuple[float, float, float] | None  # as the robot believed [m, m, rad]
    picture: str  # file in the trial's folder; empty: none


@dataclass
class GoalRecord:
    """One goal."""

    mark: str
    reached: bool  # as the robot says
    message: str
    code: int
    seconds: float
    confirmed: bool | None  # as the operator says; None: was not asked
    off_m: float | None = None  # by tape, middle of the robot to the middle of the mark
    touched: float | None = None  # things that it touched, as the operator saw
    picture: str = ""  # where it ended
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass
class TrialState:
    """All that is known of a trial; `STATE` in its folder."""

    robot: str
    settings: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    done: list[str] = field(default_factory=list)  # steps
    findings: list[dict[str, str]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)  # by step: seconds, message, figures
    goals: list[GoalRecord] = field(default_factory=list)
    bags: list[str] = field(default_factory=list)  # folders in the trial's
    notes: list[str] = field(default_factory=list)  # of the operator
    sittings: int = 0  # times that it was begun, or gone on with

    @property
    def reached(self) -> SuccessRate:
        """Of goals: the operator's word counts, else the robot's."""
        return SuccessRate.of(g.reached if g.confirmed is None else g.confirmed for g in self.goals)


def read_state(folder: Path) -> TrialState | None:
    """The trial in `folder`; None: there is none. Raises AmiError: it cannot be read."""
    file = folder / "trial.json"
    if not file.exists():
        return None
    try:
        values = json.loads(file.read_text("utf-8"))
        values["marks"] = [Mark(**mark) for mark in values.get("marks", ())]
        values["goals"] = [GoalRecord(**goal) for goal in values.get("goals", ())]
        state = TrialState(**values)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AmiError(f"{file} cannot be read ({type(error).__name__}): move it away to begin again") from error
    if state.version != 1:
        raise AmiError(f"{file} is of version {state.version}, this program reads 1: name another --out")
    return state


@dataclass(frozen=True)
class TrialConfig:
    """How a trial goes."""

    goals: int = 10
    minutes: float = 10.0  # of exploring
    leash: float = 5.0  # [m] from where it begins, that the robot stays within
    speed: float = 0.3  # [m/s] at most
    timeout: float = 300.0  # [s] for a goal

    def __post_init__(self) -> None:
        if not 1 <= self.goals <= 100 or not 0 <= self.minutes <= 60:
            raise ValueError("goals must be 1 to 100, and minutes 0 to 60")
        if not 1.0 <= self.leash <= 100.0 or not 0.05 <= self.speed <= 2.0 or not 5.0 <= self.timeout <= 3600.0:
            raise ValueError("leash must be 1 to 100 m, speed 0.05 to 2 m/s, and timeout 5 to 3600 s")


class FieldTrial:
    """Leads an operator through the trial; everything that was done is on disk before the next thing begins.

    Args:
        folder: of the trial.
        state: of it; with what was done, if it was interrupted.
    """

    def __init__(self, folder: Path, state: TrialState, robot: Robot, operator: Operator, config: TrialConfig) -> None:
        self.folder, self.state, self.robot, self.operator, self.config = folder, state, robot, operator, config

    def run(self) -> bool:
        """All steps that are not done; True: the trial is complete. An interruption leaves what was done."""
        say = self.operator.say
        self.state.sittings += 1
        self.save()
        if self.state.done:
            say(f"going on: {', '.join(self.state.done)} and {len(self.state.goals)} goals are done")
        say("q and Enter, or Ctrl-C, ends at any question; the same command goes on there")
        try:
            if "doctor" not in self.state.done:
                self._doctor()
            if not set(STEPS) <= set(self.state.done):
                self.robot.begin()
            for name, step in (("drive", self._drive), ("explore", self._explore), ("goals", self._goals)):
                if name not in self.state.done:
                    step()
        except Stopped:
            say("stopped; the same command goes on here")
            return False
        return True

    def save(self) -> None:
        """Writes the state."""
        write_json(self.folder / "trial.json", _plain(asdict(self.state)))

    def _finish(self, step: str, began: float, message: str) -> None:
        seconds = round(time.monotonic() - began, 1)
        self.state.steps[step] = {"seconds": seconds, "message": message, "figures": self.robot.figures()}
        self.state.done.append(step)
        self.save()

    def _doctor(self) -> None:
        began = time.monotonic()
        self.operator.say("step 1 of 4: does the robot fit its description? Nothing moves")
        findings = self.robot.doctor()
        self.state.findings = findings
        wrong = [f for f in findings if f["severity"] != "ok"]
        for finding in wrong:
            remedy = f" -> {finding['remedy']}" if finding.get("remedy") else ""
            self.operator.say(f"  {finding['severity']}: {finding['topic']}: {finding['text']}{remedy}")
        errors = sum(f["severity"] == "error" for f in findings)
        if errors and not self.operator.confirms(f"{errors} errors. Go on all the same?"):
            raise Stopped
        seconds = round(time.monotonic() - began, 1)
        message = f"{errors} errors, {len(wrong) - errors} warnings"
        self.state.steps["doctor"] = {"seconds": seconds, "message": message, "figures": {}}
        self.state.done.append("doctor")
        self.save()

    def _drive(self) -> None:
        began, say = time.monotonic(), self.operator.say
        say("step 2 of 4: drive it by joystick, slowly. Let the joystick publish to cmd_vel_raw: the gate checks it")
        say("at a spot to come back to: stand still, mark the floor below the robot's middle with tape, press Enter")
        while len(self.state.marks) < self.config.goals:
            typed = self.operator.answer(f"mark {len(self.state.marks) + 1}: Enter; done: d").lower()
            if typed == "d" and self.state.marks:
                break
            if typed:
                say("Enter alone marks the spot" if self.state.marks else "mark one spot at least")
                continue
            self._mark()
        self._finish("drive", began, f"{len(self.state.marks)} marks")

    def _mark(self) -> None:
        name = f"mark_{len(self.state.marks) + 1:02d}"
        pose, file = self.robot.pose(), self._keep(self.robot.picture(), name)
        if pose is None and not file:
            self.operator.say("there is neither a picture nor a place in the map: not marked")
            return
        self.state.marks.append(Mark(name, pose, file))
        self.save()

    def _explore(self) -> None:
        began, config = time.monotonic(), self.config
        if not config.minutes:
            self._finish("explore", began, "left out")
            return
        self.operator.answer(
            f"step 3 of 4: it explores {config.minutes:g} min by itself, within {config.leash:g} m of where it began, "
            f"at {config.speed:g} m/s. Keep a hand at its emergency stop. Enter: go"
        )
        ended = self.robot.explore(60.0 * config.minutes)
        self._finish("explore", began, ended.message)

    def _goals(self) -> None:
        began, operator = time.monotonic(), self.operator
        operator.say("step 4 of 4: it goes back to the marks. Measure from the middle of the robot to that of the tape")
        while len(self.state.goals) < self.config.goals:
            number = len(self.state.goals)
            mark = self.state.marks[number % len(self.state.marks)]
            operator.answer(f"goal {number + 1} of {self.config.goals}, {mark.name}: Enter to send it")
            self._send(number, mark)
        note = operator.answer("anything to note? Enter: no")
        self.state.notes += [note] if note else []
        rate = self.state.reached
        self._finish("goals", began, f"{rate.reached} of {rate.n} reached")

    def _send(self, number: int, mark: Mark) -> None:
        began, operator = time.monotonic(), self.operator
        goal = str(self.folder / mark.picture) if mark.picture else ",".join(f"{v:.3f}" for v in mark.pose or ())
        ended = self.robot.go(goal, self.config.timeout)
        seconds = round(time.monotonic() - began, 1)
        operator.say(f"  {'it says that it is there' if ended.reached else 'it gave up'}: {ended.message}")
        confirmed = operator.confirms(f"  is it at {mark.name} (within half a metre)?")
        off = operator.number("  how far off by tape, in metres?", 1000.0)
        touched = operator.number("  how many things did it touch?", 100.0)
        picture = self._keep(self.robot.picture(), f"goal_{number + 1:02d}")
        record = GoalRecord(
            mark.name, ended.reached, ended.message, ended.code, seconds, confirmed, off, touched, picture,
            self.robot.figures(),
        )  # fmt: skip
        self.state.goals.append(record)
        self.save()

    def _keep(self, jpeg: bytes | None, name: str) -> str:
        """Writes a picture into the folder; its name, empty where there is none."""
        if not jpeg:
            return ""
        file = f"{name}.jpg"
        (self.folder / file).write_bytes(jpeg)
        return file


def _plain(value: Any) -> Any:
    """As JSON has it: numbers that are none become null."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def config_of(values: dict[str, Any]) -> TrialConfig:
    """From the command line, or from a state. Raises AmiError: a value cannot be."""
    return from_mapping(TrialConfig, values, "trial")


def write_report(folder: Path, state: TrialState) -> Path:
    """Writes report.html into the trial's folder and returns its path."""
    file, title = folder / "report.html", f"Trial of {html.escape(state.robot)}"
    style = (
        "body{font:15px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}"
        "img{width:120px}.no{color:#b00}.yes{color:#070}"
    )
    rate = state.reached
    head = [(html.escape(key), _text(value)) for key, value in {**summary(state), **state.settings}.items()]
    head.append(("reached, 95 % interval", f"{rate.wilson_low:.2f} to {rate.wilson_high:.2f}"))
    steps = [
        (html.escape(name), _text(step.get("seconds")), _text(step.get("message")))
        for name, step in state.steps.items()
    ]
    findings = [
        tuple(_text(found.get(key)) for key in ("severity", "topic", "text", "remedy")) for found in state.findings
    ]
    parts = [
        _table("", ("figure", "value"), head), _table("Steps", ("step", "seconds", "how it ended"), steps),
        _goals(folder, state), _plan(state), _watched(state),
        _table("Doctor", ("", "topic", "finding", "what to do"), findings),
        "<h2>Notes of the operator</h2>", *(f"<p>{html.escape(note)}</p>" for note in state.notes or ["none"]),
        f"<h2>Recordings</h2><p>in this folder: {', '.join(map(html.escape, state.bags)) or 'none'}</p>",
    ]  # fmt: skip
    file.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f"</head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n",
        encoding="utf-8",
    )
    return file


def summary(state: TrialState) -> dict[str, Any]:
    """Flat figures of a trial."""
    rate, figures = state.reached, [found for _, found in _all_figures(state)]
    off = [goal.off_m for goal in state.goals if goal.off_m is not None]
    return {
        "goals": rate.n,
        "reached": rate.reached,
        "off_by_tape_median_m": round(float(np.median(off)), 3) if off else None,
        "off_by_tape_max_m": round(max(off), 3) if off else None,
        "measured_by_tape": len(off),
        "false_claims": sum(goal.reached and goal.confirmed is False for goal in state.goals),
        "touched": sum(goal.touched or 0.0 for goal in state.goals),
        "contacts_told": sum(int(f.get("contacts") or 0) for f in figures),
        "surprises": sum(int(f.get("surprises") or 0) for f in figures),
    }


def _all_figures(state: TrialState) -> list[tuple[str, dict[str, Any]]]:
    """What was watched, by step and goal."""
    steps = [(name, step.get("figures", {})) for name, step in state.steps.items()]
    return steps + [(f"goal {number}", goal.figures) for number, goal in enumerate(state.goals, 1)]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{name}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"{title and f'<h2>{title}</h2>'}<table><tr>{top}</tr>{body}</table>"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else html.escape(str(value))


def _goals(folder: Path, state: TrialState) -> str:
    def image(name: str) -> str:
        """A picture of the trial's folder, in the page itself."""
        file = folder / Path(name).name
        if not name or not file.is_file():
            return ""
        return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode()}">'

    pictures = {mark.name: mark.picture for mark in state.marks}
    operator = {None: "", True: '<span class="yes">there</span>', False: '<span class="no">not there</span>'}
    head = ("goal", "mark", "where it ended", "robot", "operator", "off [m]", "touched", "seconds", "message")
    rows = [
        (
            str(number), f"{html.escape(goal.mark)}<br>{image(pictures.get(goal.mark, ''))}", image(goal.picture),
            "reached" if goal.reached else f"gave up ({goal.code})", operator[goal.confirmed], _text(goal.off_m),
            _text(goal.touched), _text(goal.seconds), html.escape(goal.message),
        )
        for number, goal in enumerate(state.goals, 1)
    ]  # fmt: skip
    return _table("Goals", head, rows)


def _plan(state: TrialState) -> str:
    """Ways and marks from above, as the robot believed, 480 px square."""
    ways = [np.asarray(f["path"], float).reshape(-1, 2) for _, f in _all_figures(state) if f.get("path")]
    marks = {mark.name: np.array(mark.pose[:2]) for mark in state.marks if mark.pose is not None}
    points = np.concatenate([*ways, *(at[None] for at in marks.values()), np.zeros((0, 2))])
    if not len(points):
        return ""
    side, low, span = 480, points.min(0) - 0.5, float(np.ptp(points, axis=0).max()) + 1.0

    def place(point: Any) -> tuple[str, str]:
        x, y = (np.asarray(point) - low) / span * side
        return f"{x:.1f}", f"{side - y:.1f}"

    drawn = ""
    for way in ways:
        if len(way) > 1:
            drawn += f'<polyline fill="none" stroke="#26c" points="{" ".join(",".join(place(at)) for at in way)}"/>'
    for name, at in marks.items():
        x, y = place(at)
        drawn += f'<circle cx="{x}" cy="{y}" r="4" fill="#c22"/><text x="{x}" y="{y}" dx="6">{html.escape(name)}</text>'
    drawn += f'<text x="4" y="{side - 4}">{span:.1f} m across</text>'
    frame = f'<svg width="{side}" height="{side}" style="border:1px solid #bbb">'
    return f"<h2>From above</h2>{frame}{drawn}</svg>"


def _watched(state: TrialState) -> str:
    """Rates, latencies and what the gate did, by step and over all goals."""
    rows = []
    for name, figures in _all_figures(state):
        for key, value in figures.items():
            if key != "path":
                is_table = isinstance(value, dict)
                shown = ", ".join(f"{k}: {_text(v)}" for k, v in value.items()) if is_table else _text(value)
                rows.append((html.escape(name), html.escape(key), html.escape(shown)))
    return _table("Watched", ("step", "figure", "value"), rows)
