"""What `ami trial` does: a stack on a leash, a recording and a watch beside it, and an operator at the keyboard."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.bench.field_trial import (
    Ended,
    FieldTrial,
    Operator,
    TrialConfig,
    TrialState,
    config_of,
    read_state,
    summary,
    write_report,
)
from ami_ros.cli.telling import Telling
from ami_ros.cli.trial import TrialSettings
from ami_ros.cli.trial_watch import TrialWatch
from ami_ros.core.config import dump_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.processes import background_command_start as start
from ami_ros.core.processes import end
from ami_ros.core.robots.checkup import examine
from ami_ros.core.robots.description import RobotDescription, load_robot, robot_values
from ami_ros.ros.goals.robot_client import End, Outcome, RobotClient
from ami_ros.ros.recorder import listen
from ami_ros.ros.start.domain import domain_in_environment

LISTEN = 6.0  # [s] that the doctor listens
READY_WITHIN = 300.0  # [s]
HEARD_WITHIN = 30.0  # [s] until the first picture and the first place of the running stack
CELL, RING = 0.05, 1.0  # [m] of the leash's map: side of a cell, and width of what keeps the robot in


def run_trial(settings: TrialSettings) -> int:
    """Leads through the trial, and writes the report whatever happens; see `ami trial`.

    Raises:
        AmiError: no robot is named, the folder cannot be used, or the stack does not come up.
    """
    folder = settings.out.expanduser().resolve()
    state = read_state(folder) if folder.exists() else None
    config = config_of({name: getattr(settings, name) for name in ("goals", "minutes", "leash", "speed", "timeout")})
    if state is None:
        if not settings.robot:
            raise AmiError("trial: name the robot with --robot (./ami doctor --write writes its file)")
        load_robot(settings.robot)  # what is wrong with it shows now
        folder.mkdir(parents=True, exist_ok=True)
        leash = {} if settings.attach else {"leash_m": config.leash, "speed_mps": config.speed}
        state = TrialState(settings.robot, {**asdict(config), **leash, "attached": settings.attach})
    else:
        config = config_of({key: state.settings[key] for key in asdict(config) if key in state.settings})
    robot = LiveRobot(folder, state, config, settings)
    operator = Operator(_typed, _say)
    trial = FieldTrial(folder, state, robot, operator, config)
    try:
        complete = trial.run()
    except KeyboardInterrupt:
        _say("\nstopped; the same command goes on here")
        complete = False
    finally:
        robot.close()
        trial.save()
        page = write_report(folder, state)
    _say(f"{', '.join(f'{key} {value}' for key, value in summary(state).items() if value is not None)}")
    _say(f"the report is {page}; to have it looked at, send the whole folder {folder}")
    return 0 if complete else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _typed() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def write_leash(folder: Path, reach: float) -> Path:
    """A map in which the robot must not leave a circle of `reach` [m] around where its memory began."""
    half = reach + RING
    side = 2 * round(half / CELL)
    axis = (np.arange(side) + 0.5) * CELL - half
    outside = np.hypot(*np.meshgrid(axis, axis)) > reach
    (folder / "leash.pgm").write_bytes(
        b"P5 %d %d 255\n" % (side, side) + np.where(outside, 0, 254).astype("u1").tobytes()
    )
    head = {"image": "leash.pgm", "resolution": CELL, "origin": [-half, -half, 0.0], "occupied_thresh": 0.65,
            "free_thresh": 0.25}  # fmt: skip
    file = folder / "leash.yaml"
    file.write_text(dump_yaml(head), "utf-8")
    return file


def write_slow_robot(folder: Path, name: str, speed: float) -> Path:
    """The robot's description with no limit and no plan faster than `speed` [m/s]."""
    values = robot_values(name)
    for part in ("limits", "planned"):
        slower = {
            key: min(float(v), speed)
            for key, v in values.get(part, {}).items()
            if key in ("linear", "backward", "lateral")
        }
        values[part] = values.get(part, {}) | slower
    file = folder / "robot.yaml"
    file.write_text(dump_yaml(values), "utf-8")
    load_robot(file)
    return file


class LiveRobot:
    """The robot in this ROS domain, and the stack that the trial starts on it.

    Args:
        folder: of the trial.
        state: of it; takes the names of bags.
    """

    def __init__(self, folder: Path, state: TrialState, config: TrialConfig, settings: TrialSettings) -> None:
        self.folder, self.state, self.config, self.settings = folder, state, config, settings
        self.described: RobotDescription = load_robot(state.robot)
        self._kept = ExitStack()
        self._client: RobotClient | None = None
        self._watch: TrialWatch | None = None

    def close(self) -> None:
        """The robot stands, the recording is complete, and the stack is gone."""
        self._kept.close()

    def doctor(self) -> list[dict[str, str]]:
        with RobotClient(self.settings.namespace, domain_in_environment()) as client:
            seen = listen(client.node, LISTEN, lambda share: None)
        return [asdict(finding) for finding in examine(self.described, seen, self.settings.namespace)]

    def begin(self) -> None:
        number = self.state.sittings
        if not self.settings.attach:
            self._start_stack(self.folder / f"stack_{number}.log")
        bag = f"bag_{number}"
        self._watch = self._kept.enter_context(
            TrialWatch(self.folder / bag, self.described, self.settings.namespace, self.settings.sim_time)
        )
        self.state.bags.append(bag)
        self._client = self._kept.enter_context(RobotClient(self.settings.namespace, domain_in_environment()))
        began = time.monotonic()
        while not self._is_heard() and time.monotonic() - began < HEARD_WITHIN:
            time.sleep(0.1)
        if not self._is_heard():
            _say("no picture came so far, or it does not know where it is; ./ami doctor says what is missing")

    def _is_heard(self) -> bool:
        """Whether a spot can be marked: the camera sees, if there is one, and memory knows where the robot is."""
        return (self.described.camera is None or self.picture() is not None) and self.pose() is not None

    def picture(self) -> bytes | None:
        return self._watch.picture() if self._watch else None

    def pose(self) -> tuple[float, float, float] | None:
        return self._watch.pose() if self._watch else None

    def figures(self) -> dict[str, Any]:
        return self._watch.figures() if self._watch else {}

    def explore(self, seconds: float) -> Ended:
        assert self._client is not None
        return _ended(self._client.explore(seconds, Telling().tell))

    def go(self, goal: str, timeout: float) -> Ended:
        assert self._client is not None
        return _ended(self._client.go(goal, timeout, Telling().tell))

    def _start_stack(self, log: Path) -> None:
        settings = self.settings
        robot = write_slow_robot(self.folder, self.state.robot, self.config.speed)
        command = ["drive", "--robot", str(robot), "--no-console", "--memory", str(self.folder / "trial.memory")]
        command += ["--keep-out", str(write_leash(self.folder, self.config.leash))]
        command += ["--namespace", settings.namespace] if settings.namespace else []
        command += ["--model", settings.model] if settings.model else []
        command += ["--sim-time"] if settings.sim_time else []
        _say(f"starting the stack; its log is {log}")
        process, _ = start(command, log, "ready. Remembers", READY_WITHIN)
        self._kept.callback(end, process)


def _ended(outcome: Outcome) -> Ended:
    if outcome.end is End.CANCELED and not outcome.code:  # Ctrl-C
        raise KeyboardInterrupt
    return Ended(outcome.end is End.REACHED, outcome.message, outcome.code)
