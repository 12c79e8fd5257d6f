"""A recording is looked through as a running robot is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ami_ros.app import doctor
from ami_ros.learning.bag_survey import survey_bag
from ami_ros.learning.bag_writer import BagWriter
from ami_ros.robots.checkup import examine
from ami_ros.robots.description import load_robot


def record(path: Path) -> Path:
    with BagWriter(path) as bag:
        for i in range(30):
            bag.scan("scan", 0.1 * i + 5, np.full(72, 2.0), -np.pi, np.radians(5), frame="base_link")
            bag.odometry("odom", 0.1 * i + 5, np.zeros(3), (0.0, 0.0))
    return path


def test_what_was_recorded_is_compared_and_what_was_not_is_missed(tmp_path: Path) -> None:
    seen = survey_bag(record(tmp_path / "run"), 10.0)
    assert not seen.live and len(seen.topics["/scan"].arrivals) == 30
    findings = {f.topic: f for f in examine(load_robot("ami_bot"), seen)}
    assert findings["/image"].severity == "error" and "nobody publishes" in findings["/image"].text
    assert "no commands in the bag" in findings["/cmd_vel"].text
    assert findings["/odom"].text.startswith("10.0 messages a second")


def test_the_command_writes_a_description_and_fails_where_something_is_in_the_way(tmp_path: Path) -> None:
    bag, mine = record(tmp_path / "run"), tmp_path / "mine.yaml"
    assert doctor.main(bag=bag, write=mine, json=tmp_path / "found.json") == 1
    assert {s.topic for s in load_robot(mine).sensors} == {"/scan", "/odom"}
    assert '"severity": "error"' in (tmp_path / "found.json").read_text()
