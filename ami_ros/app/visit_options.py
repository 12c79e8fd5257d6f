"""Options of all commands that name a world: who is in it, what was moved since, and its light."""

from __future__ import annotations

from typing import Annotated, Any

import typer

PeopleOption = Annotated[int | None, typer.Option(help="People who walk about in the world. See docs/worlds.md.")]
ChangedOption = Annotated[float, typer.Option(help="Share of the furniture to move, add or take away.")]
LightOption = Annotated[str, typer.Option(help="day, night, lamps_off, dim, other_lamps or sun_patch.")]


def visited(*arguments: Any, **options: Any) -> str:
    """See `ami_ros.simulation.visit.visited`, which is imported when it is needed: help texts do without."""
    from ami_ros.simulation import visit

    return visit.visited(*arguments, **options)
