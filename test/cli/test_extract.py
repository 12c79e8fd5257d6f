"""`ami extract`: what it takes, and what it says of the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ami_ros.cli.data import extract
from ami_ros.cli.options import train
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import robot_file
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.torch_model import load_model
from harness.processes import Children


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
