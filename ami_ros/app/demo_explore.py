"""`ami demo --explore`: the robot is put into a world with an empty memory, explores by itself, then gets pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ami_ros.app.buildings_run import general_model
from ami_ros.errors import AmiError
from ami_ros.evaluation.building_figures import NEAR_FAR, figures_of
from ami_ros.evaluation.building_trials import COURSE, BuildingSetting, Row, drive_building
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.checkpoint import load_model


def explore_and_drive(
    world: str, robot: str | None, model: Path | None, goals: int, foreign: int, explore: float, seed: int,
    json: Path | None, min_success: float, unfit: Mapping[str, Any], console: Console,
) -> int:  # fmt: skip
    """Runs it in simulated time, as fast as this machine can, each decision charged as in `./ami bench buildings`.

    Args:
        unfit: options that do not go with it, by name; those that were given are refused.

    Returns:
        The exit code: 0 if enough goals were reached, 1 if not.

    Raises:
        AmiError: something is unknown, out of range, or does not go with exploring.
    """
    for option, given in unfit.items():
        if given:
            raise AmiError(f"--explore drives in simulated time without ROS: it does not go with {option.strip()}")
    if explore <= 0 or goals < 1 or foreign < 0 or seed < 0:
        raise AmiError("--explore must be above 0, --goals at least 1, --foreign-goals and --seed not negative")
    if json is not None and not json.absolute().parent.is_dir():
        raise AmiError(f"--json: there is no folder {json.absolute().parent}; make it or name another")
    import torch

    torch.set_num_threads(1)  # as in the nodes: threads of such small products wait for each other
    described, folder = load_world(world), general_model(model, robot or "")
    setting = BuildingSetting(folder, goals, foreign, explore, seed, robot or "", (COURSE,))
    rows: list[Row] = []
    about = {"world": described.name, "robot": setting.robot, "seed": seed, "explore_min": explore}
    about |= {"encoder_id": load_model(folder).encoder_id, "charged": setting.loop.charged}
    try:
        with console.status("") as status:
            for row in drive_building(world, setting, status.update):
                rows.append(row)
                console.print(_line(row, len(rows) - 1), soft_wrap=True)
    finally:
        if json is not None and rows:
            own = [row for row in rows if row["kind"] in NEAR_FAR]
            write_json(json, figures_of(rows) | {"goals": own} | about | hardware())
    figures = figures_of(rows)
    near, far = (f"{kind} {figures[kind]['reached']}/{figures[kind]['n']}" for kind in NEAR_FAR)
    false, strange = figures["false_success"], figures["foreign"]
    claims = f"{false['n']} of {false['claims']} claims false"
    others = f"{strange['refused']} of {strange['n']} pictures of another building refused"
    console.print(f"{near}, {far}; {claims}; {others}; {figures['collisions']} contacts", soft_wrap=True)
    reached = [row["reached"] for row in rows if row["kind"] in NEAR_FAR]
    return 0 if sum(reached) >= min_success * len(reached) else 1


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
