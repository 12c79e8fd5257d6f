"""What a demo leaves: the summary on the terminal, the figures as JSON, the picture."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from ami_ros import __version__
from ami_ros.app.demo_settings import DemoSettings
from ami_ros.app.demo_table import DemoTable, control_line
from ami_ros.app.scenery import Backdrop, RememberedPlaces
from ami_ros.evaluation.control import ControlRecord
from ami_ros.evaluation.report import hardware, success_rates, write_json
from ami_ros.evaluation.resources import ProcessCost
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array


@dataclass
class DemoResult:
    """What was measured so far."""

    settings: DemoSettings
    trials: list[Trial] = field(default_factory=list)
    control: ControlRecord = field(default_factory=ControlRecord)
    costs: list[ProcessCost] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)  # of processes that died
    foreign: list[str] = field(default_factory=list)  # how goals of another building ended
    places: RememberedPlaces | None = None
    backdrop: Backdrop | None = None
    explored: Array | None = None  # (n, 2) the way before the goals, in the world [m]
    began: float = field(default_factory=time.monotonic)
    end: str = ""  # finished, interrupted, or what went wrong; empty: the robot never set out
    pace: float | None = None  # simulated seconds in a second, as it was

    @property
    def success_rate(self) -> float:
        """Share of the goals that were reached."""
        return sum(trial.success for trial in self.trials) / max(len(self.trials), 1)


def write_report(result: DemoResult, table: DemoTable) -> None:
    """Writes all that was asked for, however the demo ended; nothing if the robot never set out.

    Raises:
        AmiError: a file cannot be written.
    """
    if not result.end:
        return
    control = result.control.to_json()
    table.summary(result.trials, control, result.costs)
    settings = result.settings
    refused = sum(status != "succeeded" for status in result.foreign)
    if result.foreign:
        table.say(f"{refused} of {len(result.foreign)} pictures of another building refused")
    if settings.paced and result.pace:
        table.say(f"{result.pace:.2f} simulated seconds in a second, as the nodes kept up")
    if settings.gazebo is not None:
        table.say(f"gz-sim {settings.gazebo.version}, real-time factor {result.pace or 0:.2f}")
    if settings.json is not None:
        trials, gazebo = result.trials, settings.gazebo
        report = {kind: rate.to_json() for kind, rate in success_rates(trials).items()} | {
            "control": control,
            "collisions": sum(trial.collisions for trial in trials),
            "processes": [asdict(cost) for cost in result.costs],
            "goals": [trial.to_json() for trial in trials],
            "seed": settings.seed,
            "world": settings.world.name,
            "robot": settings.robot.name,
            "real_time_factor": settings.real_time_factor,
            "real_time_factor_reached": result.pace,
            "simulator": "ours" if gazebo is None else f"gz-sim {gazebo.version}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "restarts": result.restarts,
            "foreign": {"n": len(result.foreign), "refused": refused},
            "end": result.end,
            "wall_s": round(time.monotonic() - result.began, 1),
            "version": __version__,
            "hardware": hardware(),
        }
        write_json(settings.json, report)
        table.say(f"figures: {settings.json}")
    if settings.record is not None and result.backdrop is not None:
        from ami_ros.app.picture import draw_picture  # matplotlib is large

        rates = [f"{kind} {rate}" for kind, rate in success_rates(result.trials).items() if rate.n]
        about = f"{settings.world.name}, {settings.robot.name}, seed {settings.seed}"
        title = f"{about}: {', '.join(rates) or 'no goal was driven to'}"
        figures = control_line(control, sum(trial.collisions for trial in result.trials))
        picture = settings.record / "demo.png"
        draw_picture(picture, result.backdrop, result.trials, result.places, title, figures, result.explored)
        table.say(f"picture: {picture}\nbag: {settings.record / 'bag'}")
