"""`ami demo --explore`: the robot is put into a world with an empty memory, explores by itself, then gets pictures."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ami_ros.app.demo_settings import check_places
from ami_ros.app.demo_view import DemoView
from ami_ros.app.explore_view import ExploreView
from ami_ros.app.scenery import Backdrop
from ami_ros.app.web_view import WebView
from ami_ros.errors import AmiError
from ami_ros.evaluation.building_trials import COURSE, BuildingSetting, Row, drive_building, general_model
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.robots.derived import simulated_robot
from ami_ros.robots.description import load_robot
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.checkpoint import load_model

NEAR_FAR = ("near", "far")


@dataclass(frozen=True)
class ExploreSettings:
    """What the user asked for; see `ami demo --help`."""

    world: str
    robot: str | None
    model: Path | None
    goals: int
    foreign: int
    explore: float  # [min]
    seed: int
    json: Path | None
    record: Path | None
    headless: bool
    port: int | None
    min_success: float

    def check(self, unfit: Mapping[str, Any]) -> None:
        """Raises AmiError: something is out of range or cannot be written, or one of the `unfit` options was given."""
        for option, given in unfit.items():
            if given:
                raise AmiError(f"--explore drives in simulated time without ROS: it does not go with {option}")
        if self.explore <= 0 or self.goals < 1 or self.foreign < 0 or self.seed < 0:
            raise AmiError("--explore must be above 0, --goals at least 1, --foreign-goals and --seed not negative")
        check_places(self.json, self.record)


def explore_and_drive(settings: ExploreSettings, console: Console) -> int:
    """Runs it in simulated time, as fast as this machine can, each decision charged as in `./ami bench buildings`.

    Returns:
        The exit code: 0 if enough goals were reached, 1 if not.

    Raises:
        AmiError: there is no such world, robot or model, or a file cannot be written.
    """
    import torch

    torch.set_num_threads(1)  # as in the nodes: threads of such small products wait for each other
    world, folder = load_world(settings.world), general_model(settings.model, settings.robot or "")
    loaded = load_model(folder)
    robot = load_robot(settings.robot or simulated_robot(loaded.model.spec))
    trial = BuildingSetting(
        folder, settings.goals, settings.foreign, settings.explore, settings.seed, settings.robot or "", (COURSE,)
    )
    about = {"world": world.name, "robot": robot.name, "seed": settings.seed}
    rows: list[Row] = []
    with ExitStack() as stack:
        looked_at = settings.record is not None or not settings.headless
        backdrop = Backdrop.of(world, robot.shape.radius) if looked_at else None
        page = None
        if backdrop is not None and not settings.headless:
            web = WebView(settings.port)
            stack.callback(web.close)
            console.print(f"look: {web.url}", soft_wrap=True)
            page = DemoView(web, backdrop, about | {"total": settings.goals})
        view = ExploreView(page)
        try:
            with console.status("") as status:
                for row in drive_building(settings.world, trial, status.update, view):
                    rows.append(row)
                    console.print(_line(row, len(rows) - 1), soft_wrap=True)
        finally:
            view.finish()
            if settings.json is not None and rows:
                known = {"explore_min": settings.explore, "encoder_id": loaded.encoder_id}
                own = {"goals": [row for row in rows if row["kind"] in NEAR_FAR]}
                write_json(
                    settings.json,
                    _figures(rows) | own | about | known | {"charged": trial.loop.charged} | hardware(),
                )
        summary = _summary(rows)
        console.print(summary, soft_wrap=True)
        if backdrop is not None and settings.record is not None:
            _draw(settings.record, backdrop, view, about, rows, summary, console)
    reached = [row["reached"] for row in rows if row["kind"] in NEAR_FAR]
    return 0 if sum(reached) >= settings.min_success * len(reached) else 1


def _draw(
    folder: Path, backdrop: Backdrop, view: ExploreView, about: Mapping[str, Any], rows: list[Row], summary: str,
    console: Console,
) -> None:  # fmt: skip
    from ami_ros.app.picture import draw_picture  # matplotlib is large

    folder.mkdir(parents=True, exist_ok=True)
    picture, explored = folder / "demo.png", rows[0]
    title = f"{about['world']}, never seen before, after {explored['explored_s'] / 60:.0f} min of exploring"
    draw_picture(picture, backdrop, view.trials, view.places, title, f"seed {about['seed']}; {summary}", view.explored)
    console.print(f"picture: {picture}", soft_wrap=True)


def _summary(rows: list[Row]) -> str:
    found = _figures(rows)
    near, far = (f"{kind} {found[kind]['reached']}/{found[kind]['n']}" for kind in NEAR_FAR)
    claims = f"{found['false']['reached']} of {found['false']['n']} claims false"
    others = f"{found['foreign']['reached']} of {found['foreign']['n']} pictures of another building refused"
    return f"{near}, {far}; {claims}; {others}; {found['collisions']} contacts"


def _figures(rows: list[Row]) -> dict[str, Any]:
    """Goals reached, ambiguous ones apart; claims that were false; pictures of another building that were refused."""
    goals = [row for row in rows if row["kind"] in NEAR_FAR]
    rates = {kind: [r["reached"] for r in goals if r["kind"] == kind and not r["ambiguous"]] for kind in NEAR_FAR}
    rates["false"] = [row["false_success"] for row in goals if row["claimed"]]
    rates["foreign"] = [not row["claimed"] for row in rows if row["kind"] == "foreign"]
    contacts = sum(row["collisions"] for row in rows)
    return {name: SuccessRate.of(found).to_json() for name, found in rates.items()} | {"collisions": contacts}


def _line(row: Row, number: int) -> str:
    if row["kind"] == "explore":
        return f"explored {row['explored_share']:.0%} in {row['explored_s']:.0f} s: {row['places']} places"
    if row["kind"] == "foreign":
        end = "claimed to be reached" if row["claimed"] else f"refused, {row['code']}"
        return f"a picture of another building: {end}"
    end = (
        "reached" if row["reached"] else "claimed, wrongly" if row["false_success"] else row["error_msg"] or "too late"
    )
    note = ", which looks like elsewhere" if row["ambiguous"] else ""
    return f"{number} {row['kind']}{note}: {end}; {row['final_distance_m']:.2f} m off after {row['time_s']:.0f} s"
