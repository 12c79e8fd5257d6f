from __future__ import annotations

import numpy as np

from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.routes import RouteDriver, Routes
from ami_ros.simulation.world import World


def test_a_drive_with_a_purpose_gets_into_every_room_without_touching_anything(home: World) -> None:
    robot = load_robot("ami_bot")
    simulated, rng = Loopback(home, seed=3, robot=robot), np.random.default_rng(3)
    space = FreeSpace(home)
    driver = RouteDriver(Routes(space, robot.shape.radius), rng, robot)
    rooms = set()
    for _ in range(1500):
        command = driver.command(simulated.ground_truth().pose, simulated.observe().scan)
        simulated.step(command, 0.2)
        rooms.add(space.room_of(simulated.ground_truth().pose))
    assert rooms >= {room.name for room in home.rooms}
    assert simulated.ground_truth().contacts <= 1


def test_ways_keep_clear_of_things_where_there_is_room(home: World) -> None:
    space = FreeSpace(home)
    way = Routes(space, 0.18).way(np.array([1.0, 2.6]), np.array([7.0, 4.3]))
    assert len(way) > 20
    assert space.plan.clearance(way).min() > 0.18 and np.median(space.plan.clearance(way)) > 0.35
