import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ami_ros.bench.demo.stack import DemoSettings
from ami_ros.core.config import to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.core.robots.description import load_robot, robot_file
from ami_ros.memory.store import Store
from ami_ros.world_model.fit import shipped_model
from ami_ros.world_model.model_files import identify_model
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import load_model

WEIGHTS = b"any bytes: a demo's set-up looks at their hash only"


def write_model(folder: Path, **robot: float) -> Path:
    folder.mkdir()
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    spec = to_mapping(ModelSpec(**robot))  # type: ignore[arg-type]
    config = {"format": 2, "name": "tiny", "sha256": digest, "spec": spec}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "weights.safetensors").write_bytes(WEIGHTS)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def make(model_folder: Path | None, **changes: Any) -> DemoSettings:
    values: dict[str, Any] = {
        "world": "two_rooms",
        "robot": None,
        "model": model_folder,
        "memory": None,
        "goals": 4,
        "seed": 1,
        "composed": False,
        "headless": True,
        "json": None,
        "record": None,
        "min_success": 0.5,
        "real_time_factor": 1.0,
        "port": None,
        "domain_id": None,
    }
    return DemoSettings.make(**(values | changes))


def test_settings_find_world_and_model(model: Path) -> None:
    settings = make(model)
    assert settings.world.name == "two_rooms"
    assert settings.model == model
    assert settings.memory is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"world": "atlantis"}, "no world 'atlantis': known are .*home"),
        ({"robot": "r2d2"}, "no robot 'r2d2': known are .*ami_bot"),
        ({"memory": Path("/nowhere/home.memory")}, "--memory /nowhere/home.memory: no such file"),
        ({"json": Path("/nowhere/out.json")}, "--json: there is no folder /nowhere"),
        ({"model": Path("/nowhere")}, r"model /nowhere: config\.yaml is missing"),
    ],
)
def test_mistake_is_named_in_one_line(model: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(AmiError, match=message) as error:
        make(model, **change)
    assert "\n" not in str(error.value)


def test_world_file_is_given_to_the_simulator_by_its_whole_path(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(__file__).parents[3] / "worlds" / "empty.yaml"
    (tmp_path / "hall.yaml").write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert make(model, world="hall.yaml").world_source == str(tmp_path / "hall.yaml")


def test_model_that_does_not_fit_the_robot_is_refused(model: Path, tmp_path: Path) -> None:
    car = write_model(tmp_path / "car", turning_radius=0.3)
    with pytest.raises(AmiError, match="has learned from a car, and a robot that is differential turns on the spot"):
        make(car, robot="ami_bot")
    assert make(model, robot="ami_bot_ackermann").robot.drive.kind == "ackermann"


def test_robot_that_is_not_named_is_one_that_the_model_fits(model: Path, tmp_path: Path) -> None:
    assert make(model).robot.name == "ami_bot"
    assert make(write_model(tmp_path / "sideways", max_lateral=0.4)).robot.name == "ami_bot_omnidirectional"
    assert make(write_model(tmp_path / "car", turning_radius=0.3)).robot.name == "ami_bot_ackermann"


def test_robot_of_a_file_is_given_to_the_nodes_by_its_whole_path(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text(robot_file("ami_bot").read_text())
    monkeypatch.chdir(tmp_path)
    settings = make(model, robot="mine.yaml")
    assert (settings.robot.name, settings.robot_file) == ("mine", str(tmp_path / "mine.yaml"))


def test_weights_that_were_changed_are_refused(model: Path) -> None:
    (model / "weights.safetensors").write_bytes(WEIGHTS + b"!")
    with pytest.raises(AmiError, match=r"weights\.safetensors has hash"):
        make(model)


def test_memory_that_lies_beside_the_model_is_taken(model: Path) -> None:
    identity = identify_model(model)
    Store(model / "two_rooms.memory", identity.encoder_id, identity.spec.latent_dim).close()
    assert make(model).memory == model / "two_rooms.memory"
    assert make(model, world="empty").memory is None


def test_memory_of_another_model_and_a_damaged_one_are_refused(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.memory"
    Store(other, "other@0123456789ab", identify_model(model).spec.latent_dim).close()
    with pytest.raises(AmiError, match="other@0123456789ab"):
        make(model, memory=other)
    damaged = tmp_path / "damaged.memory"
    damaged.write_bytes(b"not a database at all" * 100)
    with pytest.raises(AmiError, match=r"damaged\.memory"):
        make(model, memory=damaged)


def test_folder_of_an_earlier_recording_is_not_overwritten(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert make(model, record=folder).record == folder
    folder.mkdir()
    (folder / "demo.png").touch()
    with pytest.raises(AmiError, match=r"--record .*run: exists already"):
        make(model, record=folder)


@pytest.mark.parametrize("robot", ["ami_bot", "ami_bot_ackermann", "ami_bot_omnidirectional"])
def test_the_models_that_ship_are_who_their_memories_say(robot: str) -> None:
    folder = share("models", shipped_model(load_robot(robot)))
    assert identify_model(folder).encoder_id == load_model(folder).encoder_id
    settings = make(folder, world="home")
    assert settings.robot.name == robot and make(None, world="home", robot=robot).model == folder
    assert settings.memory is not None and settings.memory.name == "home.memory"


def test_gazebo_that_is_not_there_is_one_line(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("GAZEBO_PREFIX", raising=False)
    with pytest.raises(AmiError, match="there is no gz in PATH: install Gazebo Harmonic"):
        make(model, simulator="gazebo")
