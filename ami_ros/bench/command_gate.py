"""`ami bench gate`: the safety gate against robots that do their worst, for as long as one likes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    minutes: Annotated[float, typer.Option(help="How long to go on.", min=0.01, max=10_000)] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the first drive.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Drive robots at obstacles through the safety gate, with commands that mean harm, and count contacts.

    Each drive draws a robot with the dead time, lag and braking that docs/safety.md allows. Its laser of 2 to 40 Hz is
    late, drops scans, dies or is covered. There are zones and keep-out areas."""
    import time
    from collections import Counter

    import numpy as np
    from rich.console import Console

    from ami_ros.bench.gate_drives import Drive, Outcome
    from ami_ros.bench.gate_trials import drive
    from ami_ros.bench.report import hardware, wilson_interval, write_json
    from ami_ros.core.errors import AmiError

    console, began, rng = Console(emoji=False, highlight=False), time.monotonic(), np.random.default_rng(seed)
    drives: list[Drive] = []
    outcomes: list[Outcome] = []
    with console.status("driving") as status:
        while time.monotonic() - began < 60 * minutes or not drives:
            drives.append(Drive.draw(rng))
            outcomes.append(drive(drives[-1]))
            status.update(f"{len(drives)} drives")
    contacts = [(d, o) for d, o in zip(drives, outcomes, strict=True) if o.contact_speed is not None]
    figures = {
        "gate_drives": len(drives),
        "gate_driven_m": round(sum(o.distance for o in outcomes), 1),
        "gate_contacts": len(contacts),
        "gate_contact_speed_max_m_s": max((o.contact_speed or 0.0 for o in outcomes), default=0.0),
        "gate_commands_over_limits": sum(o.over_limits for o in outcomes),
        "gate_commands_not_finite": sum(o.not_finite for o in outcomes),
        "gate_drives_moved_blind": sum(o.moved_blind for o in outcomes),
        "gate_commands_against_zones": sum(o.zone_breaches for o in outcomes),
        "gate_drives_into_keep_out": sum(o.entered for o in outcomes),
        "gate_drives_moved_lost": sum(o.moved_lost for o in outcomes),
        "gate_commands_sped_up": sum(o.sped_up for o in outcomes),
    }
    for name, value in figures.items():
        console.print(f"{name:28} {value}", soft_wrap=True)
    drawn = Counter(kind for each in drives for kind in each.kinds)
    console.print("drawn: " + ", ".join(f"{count} {kind}" for kind, count in sorted(drawn.items())), soft_wrap=True)
    console.print(
        f"contacts: at most {100 * wilson_interval(len(contacts), len(drives))[1]:.2f} % of drives (Wilson, 95 %)"
    )
    for failed, outcome in contacts[:3]:
        console.print(f"touched at {outcome.contact_speed:.2f} m/s: {failed}", soft_wrap=True)
    for failed, outcome in ((d, o) for d, o in zip(drives, outcomes, strict=True) if o.broke_its_word):
        console.print(f"{outcome}: {failed}", soft_wrap=True)
    if json is not None:
        write_json(json, figures | {"minutes": minutes, "seed": seed} | hardware())
    if any(value for name, value in figures.items() if name not in ("gate_drives", "gate_driven_m")):
        raise AmiError("the gate did not keep its word; the lines above say how")
