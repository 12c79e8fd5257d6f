"""`ami collect` with the real simulator; `ami extract`: what it takes, and what it says of the result."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ami_ros.cli.data import extract
from ami_ros.cli.options import train
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.derived import extraction_settings
from ami_ros.core.robots.description import load_robot, robot_file
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.bag_listening import examine_extraction
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.collection import CollectionConfig, open_collection, record_run, run_folder
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig
from ami_ros.world_model.torch_model import load_model
from harness.processes import ChildProcess, Children
from harness.waiting import wait_until

LENGTH = 40


def collect(children: Children, out: Path, *options: str) -> ChildProcess:
    world = ("--world", "two_rooms", "--steps", str(2 * LENGTH), "--runs", "2")
    return children.python("-m", "ami_ros.cli", "collect", "--out", str(out), *world, *options)


def columns(bag: Path) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Stamps and odometry poses, and commands."""
    with BagReader(bag) as reader:
        found = [(topic, reader.decode(topic, data)) for topic, _, data in reader.messages(["/odom", "/cmd_vel"])]
    poses = [m.pose.pose.position for topic, m in found if topic == "/odom"]
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for topic, m in found if topic == "/odom"]
    twists = [m.twist for topic, m in found if topic == "/cmd_vel"]
    return stamps, np.array([(p.x, p.y) for p in poses]), np.array([(t.linear.x, t.angular.z) for t in twists])


def test_collect_writes_runs_with_all_topics(tmp_path: Path, children: Children) -> None:
    out = tmp_path / "a folder" / "runs"
    command = collect(children, out, "--robot", "ami_bot")
    assert command.wait(120) == 0, command.output()
    assert sorted(p.name for p in out.iterdir()) == ["collect.yaml", "run_000", "run_001"]
    for run in ("run_000", "run_001"):
        with BagReader(out / run) as bag:
            types = {t.name: t.type_name.rsplit("/", 1)[1] for t in bag.topics.values()}
            assert {t.count for t in bag.topics.values()} == {LENGTH} and not bag.problems
        expected = {"/image/compressed": "CompressedImage", "/scan": "LaserScan", "/odom": "Odometry"}
        expected |= {"/cmd_vel": "TwistStamped", "/ground_truth": "PoseStamped"}
        expected |= {"/camera_info": "CameraInfo"}
        assert types == expected
    stamps, first, commands = columns(out / "run_000")
    np.testing.assert_allclose(np.diff(stamps), 0.2, atol=1e-6)
    assert np.abs(commands).max() > 0.05
    assert np.abs(first[0] - columns(out / "run_001")[1][0]).max() > 0.01  # odometry starts somewhere else


def test_an_interrupted_collection_goes_on_and_ends_the_same(tmp_path: Path, children: Children) -> None:
    out, whole = tmp_path / "runs", tmp_path / "whole"
    config = CollectionConfig(world="two_rooms", steps=2 * LENGTH, runs=2)
    with open_collection(whole, config) as missing:
        for run in missing:
            record_run(whole, config, run, lambda: None)
        with pytest.raises(AmiError, match="another process collects into"), open_collection(whole, config):
            pass
    first = collect(children, out, "--steps", str(1000 * LENGTH))
    wait_until((out / ".partial/run_000").exists, 120, "a run begun")
    first.send(signal.SIGINT)
    assert first.wait(120) == 130
    assert "run the command again to go on, 0 complete runs are kept" in first.output()
    assert [p.name for p in out.iterdir()] == ["collect.yaml"]
    other = collect(children, out)
    assert other.wait(120) == 2
    assert "was collected with steps" in other.output().splitlines()[-1]
    (out / "collect.yaml").unlink()
    (whole / "run_001").rename(tmp_path / "run_001")
    again = collect(children, whole)
    assert again.wait(120) == 0, again.output()
    assert "1 runs recorded" in again.output()
    for mine, theirs in zip(columns(whole / "run_001"), columns(tmp_path / "run_001"), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_foreign_folders_and_impossible_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    config, lost = CollectionConfig("two_rooms", 100), CollectionConfig("nowhere", 100)
    with pytest.raises(AmiError, match="something else than collected runs"), open_collection(tmp_path, config):
        pass
    with pytest.raises(AmiError, match="no world 'nowhere'"), open_collection(tmp_path / "new", lost):
        pass
    assert not (tmp_path / "new").exists()
    (tmp_path / "collect.yaml").write_text("world: [")
    with pytest.raises(AmiError, match=r"collect\.yaml is damaged"), open_collection(tmp_path, config):
        pass
    for wrong in (
        {"steps": 0},
        {"steps": 5, "runs": 6},
        {"steps": 5, "period": 0.03},
        {"steps": 5, "seed": -1},
        {"steps": 5, "closed_doors": 1.5},
    ):
        with pytest.raises(ValueError):
            CollectionConfig(world="two_rooms", **wrong)  # type: ignore[arg-type]


def test_a_robot_with_names_of_its_own_is_collected_under_them_and_extracted(tmp_path: Path) -> None:
    config = CollectionConfig("empty", steps=30, robot="turtlebot4")
    record_run(tmp_path, config, 0, lambda: None)
    settings = from_mapping(ExtractConfig, extraction_settings(load_robot("turtlebot4")), "test")
    found = examine_extraction(run_folder(tmp_path, 0), settings)
    assert found.severity == "ok", found.text


def test_steps_are_spread_evenly_over_the_runs() -> None:
    assert CollectionConfig("home", 60000).run_lengths() == [4000] * 15
    assert CollectionConfig("home", 1000).run_lengths() == [1000]
    assert CollectionConfig("home", 10, runs=3).run_lengths() == [4, 3, 3]
    assert len(CollectionConfig("home", 10**6).run_lengths()) == 16


def test_closed_doors_hide_the_other_room(tmp_path: Path) -> None:
    assert rays_into_the_other_room(tmp_path / "open", 0.0) > 100
    assert rays_into_the_other_room(tmp_path / "closed", 1.0) == 0


def rays_into_the_other_room(out: Path, closed_doors: float) -> int:
    config = CollectionConfig("two_rooms", steps=300, runs=3, closed_doors=closed_doors)
    space, rays = FreeSpace(load_world("two_rooms")), 0
    with open_collection(out, config) as missing:
        for run in missing:
            record_run(out, config, run, lambda: None)
            with BagReader(run_folder(out, run)) as bag:
                found = [
                    (topic, bag.decode(topic, data)) for topic, _, data in bag.messages(["/scan", "/ground_truth"])
                ]
            scans = [m for topic, m in found if topic == "/scan"]
            poses = [pose_of(m) for topic, m in found if topic == "/ground_truth"]
            for scan, pose in zip(scans, poses, strict=True):
                angles = pose[2] + scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
                ends = pose[:2] + (scan.ranges - 0.3)[:, None] * np.stack([np.cos(angles), np.sin(angles)], -1)
                rooms = {space.room_of(pose), None}
                rays += sum(space.room_of(end) not in rooms for end in ends[np.isfinite(ends).all(1)])
    return rays


def pose_of(message: Any) -> np.ndarray:
    """(3,) of a PoseStamped."""
    position, turn = message.pose.position, message.pose.orientation
    return np.array([position.x, position.y, 2 * np.arctan2(turn.z, turn.w)])


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Two cameras, both under unusual names, odometry 80 ms late, one gap."""
    with BagWriter(tmp_path / "bag") as bag:
        for i in range(60):
            stamp = 0.2 * i + 9.0 * (i >= 50)
            for name in ("left", "right"):
                bag.image(f"{name}/rect", stamp, encode_frame(np.full((32, 32, 3), 4 * i, np.uint8)))
            bag.odometry("wheels/state", stamp + 0.08, [0.1 * i, 0.0, 0.0], (0.5, 0.0))
            bag.command("safe_vel", stamp, 0.5, 0.0)
    return tmp_path / "bag"


def test_options_reach_the_data_set_and_the_report_says_what_was_left_out(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    with pytest.raises(AmiError, match="which of /left/rect, /right/rect is the image"):
        extract([bag], out)
    with pytest.raises(AmiError, match="60 frames without odometry"):
        extract([bag], out, topic=["image=left/rect"], tolerance=0.05)
    extract([bag], out, topic=["image=left/rect"], tolerance=0.1, settings=["alignment.min_frames=12"])
    data = Dataset(out)
    assert data.episodes == [(0, 50)] and data.card.sources[0]["topics"]["image"] == "/left/rect"
    words = " ".join(capsys.readouterr().out.split())
    assert "50 in 1 episodes" in words and "10 frames in episodes shorter than 12" in words and "5 m, 0 rad" in words


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    """The description of a robot with unusual names, no laser, and a speed of its own."""
    values = yaml.safe_load(robot_file("ami_bot").read_text())
    camera, _, wheels = values["sensors"]
    values["sensors"] = [camera | {"topic": "left/rect", "type": "compressed"}, wheels | {"topic": "wheels/state"}]
    values["command"]["topic"] = "safe_vel"
    values["limits"]["linear"] = 0.6
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "mine.yaml"


def test_description_of_the_robot_tells_extraction_and_training_what_the_bag_does_not(
    bag: Path, robot: Path, tmp_path: Path
) -> None:
    extract([bag], tmp_path / "data", robot=str(robot), tolerance=0.1)
    topics = Dataset(tmp_path / "data").card.sources[0]["topics"]
    assert topics == {"image": "/left/rect", "odometry": "/wheels/state", "command": "/safe_vel"}
    settings = ["spec.inputs.scan_beams=0", "spec.inputs.image_size=16", "batch=2", "head_steps=1", "sight_steps=1"]
    known: dict[str, Any] = {"robot": str(robot), "steps": 1, "threads": 1, "settings": settings}
    train([tmp_path / "data"], tmp_path / "model", **known)
    assert load_model(tmp_path / "model").model.spec.command_maxima == (0.6, 1.8)
    with pytest.raises(AmiError, match="does not fit robot mine: it wants scans, and the robot has no laser"):
        train([bag], tmp_path / "other", **known | {"settings": settings[1:]})


def test_a_robot_that_stood_still_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for i in range(30):
            bag.image("image", 0.2 * i, encode_frame(np.zeros((32, 32, 3), np.uint8)))
            bag.odometry("odom", 0.2 * i, [0.0, 0.0, 0.0], (0.0, 0.0))
            bag.command("cmd_vel", 0.2 * i, 0.0, 0.0)
    extract([tmp_path / "bag"], tmp_path / "data")
    words = capsys.readouterr().out
    assert "a model learns nothing from that" in words and "all its pictures are the same" in words
    settings = ["spec.inputs.scan_beams=0", "spec.inputs.image_size=16", "batch=2", "head_steps=1", "sight_steps=1"]
    train([tmp_path / "data"], tmp_path / "model", steps=1, threads=1, settings=settings)
    words = capsys.readouterr().err
    assert "a model learns nothing from that" in words and "all its pictures are the same" in words


def test_train_takes_the_data_set_and_settings_and_says_that_the_model_is_dead(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extract([bag], tmp_path / "data", topic=["image=left/rect"], tolerance=0.1)
    settings = [
        "spec.inputs.scan_beams=0",
        "spec.inputs.image_size=16",
        "spec.latent_dim=8",
        "batch=4",
        "head_steps=1",
        "sight_steps=1",
    ]
    train([tmp_path / "data"], tmp_path / "model", steps=2, threads=1, settings=settings)
    spec = load_model(tmp_path / "model").model.spec
    assert "step 2: prediction is hardly better than no change" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "model" / "curve.jsonl").read_text().count("\n") == 1
    assert (spec.latent_dim, spec.inputs.scan_beams, spec.inputs.image_size) == (8, 0, 16)
    with pytest.raises(AmiError, match="train: weights: unknown key 'sigre'"):
        train([tmp_path / "data"], tmp_path / "other", settings=["weights.sigre=1"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topic": ["image"]}, "is not of the form role=name"),
        ({"topic": ["camera=left/rect"]}, "unknown role 'camera'"),
        ({"settings": ["speed=3"]}, "unknown key 'speed'"),
        ({"tolerance": 0.2}, "tolerance between 0 and half"),
    ],
)
def test_a_wrong_call_is_one_line(bag: Path, tmp_path: Path, options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(AmiError, match=message) as raised:
        extract([bag], tmp_path / "data", **options)
    assert "\n" not in str(raised.value) and [p.name for p in tmp_path.iterdir()] == ["bag"]


def test_a_data_set_without_an_input_of_the_model_is_one_line_and_leaves_nothing(bag: Path, tmp_path: Path) -> None:
    extract([bag], tmp_path / "data", topic=["image=left/rect"], tolerance=0.1)
    with pytest.raises(AmiError, match="needs a scan, which the data set does not have"):
        train([tmp_path / "data"], tmp_path / "model", steps=1, threads=1)
    with pytest.raises(AmiError, match=r"each 0.2 s, the model one each 0.1 s"):
        train([tmp_path / "data"], tmp_path / "model", steps=1, threads=1, settings=["spec.period=0.1"])
    assert not list((tmp_path / "model").iterdir())


def test_a_full_disk_stops_a_training_in_one_line_and_room_lets_it_go_on(
    bag: Path, tmp_path: Path, children: Children
) -> None:
    extract([bag], tmp_path / "data", topic=["image=left/rect"], tolerance=0.1)
    settings = ["spec.inputs.scan_beams=0", "spec.inputs.image_size=16", "batch=2", "head_steps=1", "sight_steps=1"]
    arguments = ["train", str(tmp_path / "data"), "--out", str(tmp_path / "model"), "--steps", "2", "--threads", "1"]
    arguments += [argument for setting in settings for argument in ("--set", setting)]
    limited = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
from ami_ros.cli.main import run
run({arguments!r})
"""
    child = children.python("-c", limited)
    assert child.wait(120) == 2
    assert f"train: cannot write {tmp_path / 'model'} (File too large); make room" in " ".join(child.output().split())
    assert not list((tmp_path / "model").iterdir())
    train([tmp_path / "data"], tmp_path / "model", steps=2, threads=1, settings=settings)
    load_model(tmp_path / "model")
