from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.bench.buildings import Ambiguity
from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world

AT_A_WALL = np.array([0.6, 2.5, np.pi])  # looks at the western wall from near


def ambiguity(world: World) -> Ambiguity:
    return Ambiguity(FreeSpace(world), load_robot("ami_bot"), seed=2)


def test_a_bare_wall_looks_like_any_other_and_a_room_of_posters_like_nothing_else() -> None:
    colourful = load_world("empty")
    plain = tuple(replace(wall, left="oak") for wall in colourful.walls)
    bare = replace(colourful, walls=plain, posters=())
    found = []
    for world in (bare, colourful):
        rule = ambiguity(world)
        found.append(rule.of(AT_A_WALL))
        rule.close()
    assert found == [True, False]
