"""The choice that `ami bench scale` times."""

from __future__ import annotations

import pytest

from ami_ros.bench.scale import Drive, choices
from ami_ros.core.errors import AmiError
from ami_ros.simulation.corridors import Site


def test_a_choice_is_timed_once_as_much_floor_is_seen_as_asked_for() -> None:
    drive, said = Drive.drawn(1, Site(1, length=20.0), 150), list[str]()
    assert choices(drive, 60.0, said.append).cpu_p50 > 0.0
    assert float(said[-1].split(":")[1]) >= 60.0
    with pytest.raises(AmiError, match="the drive is over"):
        choices(drive, 1e5, said.append)
