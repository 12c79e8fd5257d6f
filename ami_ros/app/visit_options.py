"""Options of commands that name a world: who is in it, what was moved since, and its light."""

from __future__ import annotations

from typing import Annotated

import typer

from ami_ros.simulation.visit import visited

PeopleOption = Annotated[int | None, typer.Option(help="Persons who walk about in the world; more: docs/worlds.md.")]
ChangedOption = Annotated[float, typer.Option(help="Share of the furniture that was moved, added or taken away.")]
LightOption = Annotated[str, typer.Option(help="day, night, lamps_off, dim, other_lamps or sun_patch.")]

__all__ = ["ChangedOption", "LightOption", "PeopleOption", "visited"]
