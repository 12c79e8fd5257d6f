"""A memory that goes by latents keeps scans for a map, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.memory.front_end import FrontEndConfig
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, occupancy_map, submaps_in
from ami_ros.memory.place_memory import MemoryConfig
from ami_ros.memory.store import Store
from ami_ros.memory.types import Location
from harness.carmen import box, scan_at
from harness.exact_model import latent_of

from .conftest import ENCODER, LIGHT, Opener, Walker

ROOM = np.array(box(-1.5, -1.5, 3.5, 3.5))


class Seeing(Walker):
    """Has a laser, unless it is blind."""

    blind = False

    def look(self, thumbnail: bytes | None = None) -> Location:
        scan = None if self.blind else scan_at(ROOM, self.pose)
        return self.memory.observe(self.time, latent_of(self.pose), self.odometry, thumbnail, scan=scan)


def test_its_places_make_a_map_and_the_robot_is_where_it_would_be_without(path: Path, open_memory: Opener) -> None:
    believed: list[Array] = []
    for blind in (True, False):
        memory = open_memory(path.with_suffix(".blind" if blind else ".seeing"))
        walker = Seeing(memory)
        walker.blind = blind
        walker.look()
        believed.append(walker.loop().pose)
        assert len(memory.submaps()) == (0 if blind else len(memory)) and memory.map.graph.free is None
        memory.map.store.flush()
    np.testing.assert_array_equal(believed[0], believed[1])
    kept = submaps_in(path.with_suffix(".seeing"))
    drawn = occupancy_map(kept)
    assert not submaps_in(path.with_suffix(".blind")) and drawn is not None
    walls = drawn.points(np.argwhere(drawn.cells == OCCUPIED))
    off = np.abs(np.abs(walls - 1.0) - 2.5).min(axis=1)  # from the nearest wall, or what goes on from it
    assert np.quantile(off, 0.9) < 0.3 and 15.0 < (drawn.cells == FREE).sum() * drawn.resolution**2 < 25.0


def test_a_file_that_had_none_gets_those_of_new_places(path: Path, open_memory: Opener) -> None:
    walker = Seeing(open_memory(path))
    walker.blind = True
    walker.look()
    walker.memory.close()
    memory = open_memory(path)
    again = Seeing(memory)
    again.look()
    again.drive(2.0)
    assert len(memory.submaps()) == len(memory) - 1 > 2


def test_a_model_that_goes_by_scans_goes_by_latents_where_these_placed_what_is_remembered(
    path: Path, open_memory: Opener
) -> None:
    walker = Seeing(open_memory(path))
    walker.look()
    walker.drive(2.0)
    walker.memory.close()
    memory = open_memory(path, MemoryConfig(filter=LIGHT, front_end=FrontEndConfig(use="always")))
    again = Seeing(memory)
    again.look()
    location = again.drive(2.0)
    assert location.localised and memory.map.graph.free is None and memory.front_end.here == 0


def test_one_that_learns_nothing_keeps_none(path: Path, open_memory: Opener) -> None:
    walker = Seeing(open_memory(path))
    walker.look()
    walker.memory.close()
    memory = open_memory(path, MemoryConfig(learning=False, filter=LIGHT))
    assert not memory.takes_scans
    store = Store(path, ENCODER, 4, read_only=True)
    assert store.has_submaps()
    store.close()
