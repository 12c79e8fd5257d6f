"""The report of a trial as one HTML file: it needs no network, and can be sent."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.evaluation.field_trial import GoalRecord, TrialState

REPORT = "report.html"
PLAN = 480  # [px], side of the plan
STYLE = (
    "body{font:15px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}"
    "img{width:120px}.no{color:#b00}.yes{color:#070}"
)


def write_report(folder: Path, state: TrialState) -> Path:
    """Writes `REPORT` into the trial's folder and returns its path."""
    file = folder / REPORT
    parts = [_head(state), _steps(state), _goals(folder, state), _plan(state), _watched(state), _findings(state)]
    bags = ", ".join(map(html.escape, state.bags)) or "none"
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in state.notes) or "<p>none</p>"
    parts += [f"<h2>Notes of the operator</h2>{notes}", f"<h2>Recordings</h2><p>in this folder: {bags}</p>"]
    title = f"Trial of {html.escape(state.robot)}"
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>"
        f"<body><h1>{title}</h1>{''.join(parts)}</body></html>\n"
    )
    file.write_text(page, encoding="utf-8")
    return file


def summary(state: TrialState) -> dict[str, Any]:
    """Flat figures of a trial."""
    rate = state.reached
    off = [goal.off_m for goal in state.goals if goal.off_m is not None]
    claims = [goal for goal in state.goals if goal.reached and goal.confirmed is not None]
    return {
        "goals": rate.n,
        "reached": rate.reached,
        "off_by_tape_median_m": round(float(np.median(off)), 3) if off else None,
        "off_by_tape_max_m": round(max(off), 3) if off else None,
        "measured_by_tape": len(off),
        "false_claims": sum(not goal.confirmed for goal in claims),
        "touched": sum(goal.touched or 0.0 for goal in state.goals),
        "contacts_told": sum(int(f.get("contacts") or 0) for f in _all_figures(state)),
        "surprises": sum(int(f.get("surprises") or 0) for f in _all_figures(state)),
    }


def _all_figures(state: TrialState) -> list[dict[str, Any]]:
    return [step.get("figures", {}) for step in state.steps.values()] + [goal.figures for goal in state.goals]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{name}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else html.escape(str(value))


def _head(state: TrialState) -> str:
    rows = [(html.escape(key), _text(value)) for key, value in {**summary(state), **state.settings}.items()]
    rate = state.reached
    rows.append(("reached, 95 % interval", f"{rate.wilson_low:.2f} to {rate.wilson_high:.2f}"))
    return _table(("figure", "value"), rows)


def _steps(state: TrialState) -> str:
    rows = [
        (html.escape(name), _text(step.get("seconds")), _text(step.get("message")))
        for name, step in state.steps.items()
    ]
    return f"<h2>Steps</h2>{_table(('step', 'seconds', 'how it ended'), rows)}"


def _goals(folder: Path, state: TrialState) -> str:
    pictures = {mark.name: mark.picture for mark in state.marks}
    rows = [_goal_row(folder, number, goal, pictures.get(goal.mark, "")) for number, goal in enumerate(state.goals, 1)]
    head = ("goal", "mark", "where it ended", "robot", "operator", "off [m]", "touched", "seconds", "message")
    return f"<h2>Goals</h2>{_table(head, rows)}"


def _goal_row(folder: Path, number: int, goal: GoalRecord, wanted: str) -> tuple[str, ...]:
    operator = {None: "", True: '<span class="yes">there</span>', False: '<span class="no">not there</span>'}
    said = "reached" if goal.reached else f"gave up ({goal.code})"
    shown = f"{html.escape(goal.mark)}<br>{_image(folder, wanted)}"
    return (
        str(number), shown, _image(folder, goal.picture), said, operator[goal.confirmed], _text(goal.off_m),
        _text(goal.touched), _text(goal.seconds), html.escape(goal.message),
    )  # fmt: skip


def _image(folder: Path, name: str) -> str:
    """A picture of the trial's folder, in the page itself."""
    file = folder / Path(name).name
    if not name or not file.is_file():
        return ""
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode()}">'


def _plan(state: TrialState) -> str:
    """Ways and marks from above, as the robot believed."""
    ways = [np.asarray(f["path"], float).reshape(-1, 2) for f in _all_figures(state) if f.get("path")]
    marks = [(mark.name, mark.pose) for mark in state.marks if mark.pose is not None]
    points = (
        np.concatenate([*ways, np.array([pose[:2] for _, pose in marks]).reshape(-1, 2)]) if ways or marks else None
    )
    if points is None or not len(points):
        return ""
    low, span = points.min(0) - 0.5, float(np.ptp(points, axis=0).max()) + 1.0

    def place(point: Any) -> str:
        x, y = (np.asarray(point[:2]) - low) / span * PLAN
        return f"{x:.1f},{PLAN - y:.1f}"

    lines = "".join(
        f'<polyline fill="none" stroke="#26c" points="{" ".join(map(place, way))}"/>' for way in ways if len(way) > 1
    )
    spots = ""
    for name, pose in marks:
        x, y = place(pose).split(",")
        spots += f'<circle cx="{x}" cy="{y}" r="4" fill="#c22"/><text x="{x}" y="{y}" dx="6">{html.escape(name)}</text>'
    grid = f'<text x="4" y="{PLAN - 4}">{span:.1f} m across</text>'
    frame = f'<svg width="{PLAN}" height="{PLAN}" style="border:1px solid #bbb">'
    return f"<h2>From above</h2>{frame}{lines}{spots}{grid}</svg>"


def _watched(state: TrialState) -> str:
    """Rates, latencies and what the gate did, by step and over all goals."""
    rows = []
    for name, figures in [
        *((name, step.get("figures", {})) for name, step in state.steps.items()),
        *((f"goal {number}", goal.figures) for number, goal in enumerate(state.goals, 1)),
    ]:
        for key, value in figures.items():
            if key != "path":
                shown = (
                    ", ".join(f"{k}: {_text(v)}" for k, v in value.items()) if isinstance(value, dict) else _text(value)
                )
                rows.append((html.escape(name), html.escape(key), html.escape(shown)))
    return f"<h2>Watched</h2>{_table(('step', 'figure', 'value'), rows)}"


def _findings(state: TrialState) -> str:
    rows = [
        tuple(_text(finding.get(key)) for key in ("severity", "topic", "text", "remedy")) for finding in state.findings
    ]
    return f"<h2>Doctor</h2>{_table(('', 'topic', 'finding', 'what to do'), rows)}"
