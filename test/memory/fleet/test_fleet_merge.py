"""The memories of a fleet become one map for each building, whoever does the work."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.bench.logs import aligned_error, laser_config, with_drift
from ami_ros.core.geometry import Array, relative
from ami_ros.memory.fleet.dataset import export_memory
from ami_ros.memory.fleet.merge import MergeSetting, merge_fleet
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.store import Store
from ami_ros.memory.types import is_own
from harness.carmen import RING, box, driven, scan_at
from harness.processes import Children

lance = pytest.importorskip("lance", reason="the extra lance is not installed")

ELSEWHERE = np.array([*box(-4.0, -6.0, 7.0, 5.0), *box(1.0, -1.0, 2.5, 0.5), *box(-4.0, 2.0, -2.0, 2.4)])
ROUND = np.array([(1.0, 1.0), (15.0, 1.0), (15.0, 11.0), (1.0, 11.0), (1.0, 1.0)])
SMALL = np.array([(-2.0, -4.0), (5.0, -4.0), (5.0, 3.0), (-2.0, 3.5), (-2.0, -4.0)])
DRIVES = {  # robot: where, from corner to corner; each begins a day after the one before
    "amr1": (RING, ROUND[:4]),
    "amr2": (RING, ROUND[[2, 1, 0, 3]]),
    "amr3": (RING, ROUND[1:5]),
    "else1": (ELSEWHERE, SMALL[:4]),
    "else2": (ELSEWHERE, SMALL[[3, 2, 1, 0]]),
}
DAY = 86_400.0
# Merges a data set (argument 1) into a folder (2), which "" has others write.
MERGE = """
import sys
from pathlib import Path
from ami_ros.bench.logs import laser_config
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.fleet.merge import MergeSetting, merge_fleet
setting = MergeSetting(LaserModel(), ENCODER, laser_config(), abandoned=2.5)
out = Path(sys.argv[2]) if sys.argv[2] else None
merge_fleet(Path(sys.argv[1]), out, setting, lambda what: print(what, flush=True))
"""
Truths = dict[float, Array]


def drive(path: Path, walls: Array, corners: Array, day: int) -> Truths:
    """A robot drives; where it was, by the time."""
    truth, rng, known = driven(corners), np.random.default_rng(day), Truths()
    odometry = with_drift(truth, 0.03, np.random.default_rng(day))
    memory = PlaceMemory(LaserModel(), ENCODER, path, laser_config())
    for k, pose in enumerate(truth):
        known[DAY * day + 0.2 * k] = pose
        scan = scan_at(walls, pose, rng)
        memory.observe(DAY * day + 0.2 * k, None, relative(odometry[0], odometry[k]), scan=scan)
    memory.finish()
    memory.close()
    return known


@pytest.fixture(scope="module")
def memories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truths]:
    """Memory files of all robots, and where each was at which time."""
    folder, truths = tmp_path_factory.mktemp("memories"), Truths()
    for day, (robot, (walls, corners)) in enumerate(DRIVES.items()):
        truths |= drive(folder / f"{robot}.memory", walls, corners, day)
    return folder, truths


def exported(memories: tuple[Path, Truths], fleet: Path, robots: str = "*") -> Path:
    for path in sorted(memories[0].glob(f"{robots}.memory")):
        export_memory(path, fleet, path.stem)
    return fleet


@pytest.fixture
def fleet(memories: tuple[Path, Truths], tmp_path: Path) -> Path:
    return exported(memories, tmp_path / "fleet")


def merged(fleet: Path, out: Path) -> dict[str, Any]:
    return merge_fleet(fleet, out, MergeSetting(LaserModel(), ENCODER, laser_config()), lambda what: None)


@pytest.fixture(scope="module")
def done(memories: tuple[Path, Truths], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What one process has made of all of them."""
    folder = tmp_path_factory.mktemp("done")
    return folder / "out", merged(exported(memories, folder / "fleet"), folder / "out")


def read(path: Path) -> Any:
    store = Store(path, ENCODER, LaserModel.spec.latent_dim, read_only=True)
    table, edges = store.read()
    store.close()
    return table, edges


def content(out: Path) -> dict[str, tuple[bytes, ...]]:
    """What is in each memory of a folder."""
    tables = {path.name: read(path) for path in sorted(out.glob("*.memory"))}
    return {
        name: (table.poses.tobytes(), table.latents.tobytes(), table.numbers.tobytes(), edges.tobytes())
        for name, (table, edges) in tables.items()
    }


def test_each_building_becomes_one_map_in_which_places_are_where_they_are(
    done: tuple[Path, dict[str, Any]], memories: tuple[Path, Truths]
) -> None:
    out, found = done
    robots = [each["robots"] for each in found["maps"]]
    assert robots == [["amr1", "amr2", "amr3"], ["else1", "else2"]] and found["left"] == 0
    alone = sum(len(read(path)[0].poses) for path in memories[0].glob("amr*.memory"))
    for each in found["maps"]:
        table, edges = read(out / each["file"])
        truth = np.array([memories[1][stamp] for stamp in table.numbers["created"].tolist()])
        assert len(truth) == each["places"] and aligned_error(table.poses, truth).max() < 0.5
        assert is_own(table.numbers["id"]).all() and len(edges) >= len(truth) - 1
    assert found["maps"][0]["places"] < 0.8 * alone  # what several know is there once
    assert json.loads((out / "merged.json").read_text())["maps"] == found["maps"]


def test_a_robot_starts_with_a_merged_memory_and_is_found_in_it(
    done: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "robot.memory"
    path.write_bytes((done[0] / done[1]["maps"][0]["file"]).read_bytes())
    memory = PlaceMemory(LaserModel(), ENCODER, path, laser_config())
    rng = np.random.default_rng(9)
    for k, pose in enumerate(way := driven(np.array([(1.0, 4.0), (1.0, 11.0), (8.0, 11.0)]))):
        location = memory.observe(99 * DAY + 0.2 * k, None, relative(way[0], pose), scan=scan_at(RING, pose, rng))
    assert location.localised
    memory.close()


def test_two_processes_come_to_what_one_comes_to(
    done: tuple[Path, dict[str, Any]], fleet: Path, tmp_path: Path, children: Children
) -> None:
    both = [children.python("-c", MERGE, str(fleet), out) for out in (str(tmp_path / "two"), "")]
    for process in both:
        assert process.wait(120) == 0, process.output()
    assert content(tmp_path / "two") == content(done[0]) != {}
    assert json.loads((tmp_path / "two" / "merged.json").read_text())["maps"] == done[1]["maps"]


def test_a_job_that_was_killed_goes_on_with_what_it_has(
    memories: tuple[Path, Truths], tmp_path: Path, children: Children
) -> None:
    fleet = exported(memories, tmp_path / "fleet", "amr[123]")
    process = children.python("-c", MERGE, str(fleet), str(tmp_path / "out"))
    process.wait_for_output("round 2", 120)
    process.send(signal.SIGKILL)
    process.wait()
    job = fleet / "merged" / "000001"
    before = {path.name: path.stat().st_ino for path in job.glob("*.json")}
    assert "0000-0000.json" in before and not (tmp_path / "out").exists()
    drive(tmp_path / "late.memory", RING, ROUND[:3], 20)
    export_memory(tmp_path / "late.memory", fleet, "late")  # it is in the next job
    again = children.python("-c", MERGE, str(fleet), str(tmp_path / "out"))
    assert again.wait(120) == 0, again.output()
    assert before.items() <= {path.name: path.stat().st_ino for path in job.glob("*.json")}.items()
    found = json.loads((tmp_path / "out" / "merged.json").read_text())
    assert [each["robots"] for each in found["maps"]] == [["amr1", "amr2", "amr3"]]
    later = merged(fleet, tmp_path / "out")
    assert later["maps"][0]["robots"] == ["amr1", "amr2", "amr3", "late"]
    assert not job.exists()


def test_what_is_damaged_or_of_another_model_is_refused_by_name_and_the_rest_goes_on(
    fleet: Path, tmp_path: Path
) -> None:
    table = lance.dataset(str(fleet / "places.lance"))
    table.update({"label": f"'{'x' * 200}'"}, where="robot = 'amr3' AND id = 2")
    table.update({"encoder_id": "'another@0'"}, where="robot = 'amr2'")
    found = merged(fleet, tmp_path / "out")
    assert [each["robots"] for each in found["maps"]] == [["amr1"], ["else1", "else2"]]
    assert "another@0" in found["refused"]["amr2"] and "characters" in found["refused"]["amr3"]
    assert found["refused"].keys() == {"amr2", "amr3"} and not found["failed"]


def test_labels_of_all_are_kept_and_each_is_at_one_place(
    memories: tuple[Path, Truths], fleet: Path, tmp_path: Path
) -> None:
    said = {"amr1": ("dock", 2), "amr2": ("dock", 2), "amr3": ("lift", 5), "else1": ("dock", 3)}
    for robot, (label, place_id) in said.items():
        path = tmp_path / f"{robot}.memory"
        path.write_bytes((memories[0] / f"{robot}.memory").read_bytes())
        memory = PlaceMemory(LaserModel(), ENCODER, path, laser_config())
        memory.map.label(place_id, label, f"said by {robot}", keep_away=0.5)
        memory.close()
        export_memory(path, fleet, robot)
    found = merged(fleet, tmp_path / "out")
    texts = [read(tmp_path / "out" / each["file"])[0].texts for each in found["maps"]]
    labels = [sorted(label for label, _ in each.values() if label) for each in texts]
    assert labels in ([["dock", "dock@amr1", "lift"], ["dock"]], [["dock", "dock@amr2", "lift"], ["dock"]])
    assert {note for each in texts for _, note in each.values()} == {f"said by {robot}" for robot in said}
