"""docs/fault_matrix.md: each fault, what the stack does about it, and the tests that do it to the stack.

`./ami shell python test/harness/fault_matrix.py` writes it anew.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "fault_matrix.md"
# Fault -> what must happen. A test is marked with the fault: `@pytest.mark.fault("camera stops")`.
FAULTS = {
    "camera stops": "zero command, `STALE_OBSERVATION`; goes on by itself, or the goal ends with that code",
    "camera frozen": "a warning, and zero while the robot should move",
    "images of another time": "dropped, with a warning",
    "camera black or saturated": "surprise raises an alarm; the robot stops",
    "image malformed, of a wrong length, or too large": "refused before it is decoded; the next good one is taken",
    "resolution of images changes": "seen as before",
    "images of another quality of service or type": "a warning that names topic, publisher and policy within 5 s",
    "30 % of frames dropped, 200 ms jitter": "later, but there",
    "flood of images": "the newest are seen, the others are left out",
    "odometry lost or not finite": "zero, `STALE_OBSERVATION`; goes on by itself",
    "odometry stamped in the future, once": "dropped; everything goes on",
    "odometry of a speed or a place that cannot be": "dropped, with a warning; costs no time and no memory",
    "odometry reset or jump during a goal": "the goal goes on from where it is, or ends with a code",
    "pose jumps: somebody carries the robot away": "surprise raises an alarm; memory finds the robot again",
    "goal not finite, or of an unknown frame": "rejected with a code",
    "messages with any values in their fields": "finite values, or refused in one line",
    "requests out of range to services and actions": "refused with a code; the node lives",
    "flood of goals": "rejected in short; the action stays reachable",
    "100 goals one after the other": "the newest wins; each client gets a result",
    "goal cancelled in any phase": "`CANCELED`, zero at once",
    "client of a goal vanishes": "the goal goes on",
    "model predicts NaN": "zero, `MODEL_FAILURE`; the node lives",
    "model raises, or memory runs out": "zero, `MODEL_FAILURE`; the node lives",
    "model slow": "commands keep their rate; zero when the plan is too old, `DEADLINE_MISSED`",
    "model hangs": "the same, and cancelling works",
    "model missing, damaged, of another version": "one line; the whole start ends",
    "model folder swapped while a node runs": "what was loaded drives on; configuring takes the new one, or refuses it",
    "laser covered": "no translation into what is not seen; the reason is in `safety/status`",
    "part of a laser's view turns to inf, NaN, 0 or its range": "what stood there stays until it has gone",
    "laser late, slow or dead": "no contact",
    "laser repeats itself with new stamps": "no contact: one scan or several in turn, with beams that tremble or noise",
    "one of several merged lasers hangs": "no contact: what that part of the view shows does not count as free",
    "scan of another beam count mid-run": "seen as before",
    "scans of an unknown frame": "the robot stands; an error",
    "scanner's transforms in a namespace": "heard there",
    "another sensor of the gate falls silent": "the robot stands; `safety/status` names the sensor",
    "another sensor of the gate is covered": "that does not count as free: it falls silent, and the robot stands",
    "dense clouds, many sensors, readings without end": "what is on the way counts, or the robot stands and says so",
    "moving things with NaN, of another time, or thousands of them": "refused or limited in one line; no less safe",
    "commands that come late": "dropped, with a warning; the robot stands",
    "a keep-out mask is missing, or it is not known where it is": "the robot stands; `safety/status` says so",
    "publishers of another quality of service speak to the gate": "scans, commands and an emergency stop are heard",
    "a keep-out area's place is old, lost, or of odometry that leapt": "stands until it is known again",
    "second publisher of scan, cmd_vel or cmd_vel_raw": "a warning with its name",
    "time pauses, is slow, or is missing": "zero by steady time",
    "many outputs at one stamp, a clock that ticks seldom, in bursts or back and on": "speeding up keeps to its limit",
    "time is set back": "buffers are cleared; no mission starts by itself",
    "clock starts in 1970, jumps to now, is set back": "driving goes on by the new time",
    "any process is killed": "zero within half a second; all active again, a mission goes on",
    "the planner of a goal is killed": "its client gets the status and the code UNKNOWN",
    "the gate hangs": "the supervisor sends zero for it",
    "the gate and who stands in for it are gone": "the base stops by its own timeout",
    "a process dies again and again": "growing pauses, then a code; the robot stands",
    "SIGINT or SIGTERM": "the last command is zero; exit code 0",
    "any transition in any state": "made, or refused; the node lives, and nothing leaks",
    "bug in a callback": "reported; the node goes on",
    "memory file damaged": "what can be read is served, what is lost is told, the damaged file is kept",
    "memory killed while writing": "nothing that was acknowledged is lost",
    "power cut, or kill, at any moment of a memory's work": "what was acknowledged is there; nothing is wrong",
    "memory saved over a file whose writer was killed": "the old one or the new one is there, whole, at any moment",
    "a column of memory changed beside a flipped one": "only what fits its checksum is signed again; the rest is told",
    "two processes write to one memory": "the second is refused in a line that names the first; reading goes on",
    "memory's log cut off or lost": "what was acknowledged is in the file itself; damage is told",
    "disk full": "memory goes on without writing, says so, and catches up",
    "disk read-only": "what is remembered is served, nothing new is acknowledged, and diagnostics say so",
    "memory saved onto its own file": "it stays open, and nothing is lost",
    "bag damaged": "what is whole is read",
}


def marked() -> dict[str, list[str]]:
    """Tests by fault, as "test/ros/nodes/test_loop.py::test_name", as the marks in the files say."""
    found: dict[str, list[str]] = {}
    for file in sorted((REPOSITORY / "test").rglob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            for decorator in getattr(node, "decorator_list", ()):
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fault":
                    name = f"{file.relative_to(REPOSITORY)}::{getattr(node, 'name', '')}"
                    found.setdefault(ast.literal_eval(decorator.args[0]), []).append(name)
    return found


def page() -> str:
    """The text of docs/fault_matrix.md."""
    tests = marked()
    lines = [
        "# Faults",
        "",
        "What is done to the stack in tests, with real nodes, and what has to happen. Generated from the marks of the",
        "tests by `./ami shell python test/harness/fault_matrix.py`; a test fails where a row has none.",
        "`./ami bench soak` and `./ami bench gate` do some of it for as long as one likes.",
        "",
        "| fault | what happens | tests |",
        "| --- | --- | --- |",
    ]
    for fault, answer in FAULTS.items():
        names = "<br>".join(f"`{name.removeprefix('test/')}`" for name in tests.get(fault, []))
        lines.append(f"| {fault} | {answer} | {names} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
