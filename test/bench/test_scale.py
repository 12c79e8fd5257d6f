"""The drive of `ami bench scale`, and the copies of its map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.bench.scale import Drive, Session, choices, lay_out
from ami_ros.core.errors import AmiError
from ami_ros.memory.types import GoalQuery
from ami_ros.simulation.corridors import Site


def test_the_way_through_a_site_keeps_clear_of_walls_and_a_route_leads_through_all_copies_of_its_map(
    tmp_path: Path,
) -> None:
    session = Session(Drive.drawn(1, Site(1, length=20.0), 60), tmp_path / "site.memory")
    try:
        for _ in range(50):
            session.step()
            pose = session.drive.truth[session.at - 1]
            assert session.drive.site.plan(pose[:2]).clearance(np.array([pose[:2]]))[0] > 0.05
        driven = len(session.memory)
        lay_out(session.memory, 4 * driven)
        assert len(session.memory) == 4 * driven
        route = session.memory.find_route(GoalQuery(place_id=int(session.memory.map.index.ids[-1])))
        assert len({(place.id - 1) // driven for place in route.places}) == 4
        session.step()
        assert session.memory.front_end.here <= driven
    finally:
        session.memory.close()


def test_a_choice_is_timed_once_as_much_floor_is_seen_as_asked_for() -> None:
    drive, said = Drive.drawn(1, Site(1, length=20.0), 150), list[str]()
    assert choices(drive, 60.0, said.append)["cpu_p50"] > 0.0
    assert float(said[-1].split(":")[1]) >= 60.0
    with pytest.raises(AmiError, match="the drive is over"):
        choices(drive, 1e5, said.append)
