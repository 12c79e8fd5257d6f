"""Donkeycar tubs: what was recorded is read as it was, and what is left out is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.alignment import AlignmentConfig
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.extract import ExtractConfig
from ami_ros.world_model.learning.tub import extract_tubs, read_tub, tubs_at
from harness.tub import drive, record_of, write_old_tub, write_records, write_tub


def extracted(tub: Path, out: Path, **settings: Any) -> Dataset:
    return extract_tubs([tub], out, ExtractConfig(alignment=AlignmentConfig(period=0.1), **settings), lambda a, b: None)


def changed(tub: Path, change: Callable[[dict[str, Any]], dict[str, Any] | str]) -> Path:
    """Every record of the tub's first catalog as `change` makes it."""
    file = tub / "catalog_0.catalog"
    found = [change(json.loads(line)) for line in file.read_text().splitlines()]
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in found))
    return tub


def test_commands_pictures_and_imu_are_those_that_were_recorded(tmp_path: Path) -> None:
    data = extracted(write_tub(tmp_path / "tub", 201, imu=True), tmp_path / "data")
    _, actions = drive(201)
    assert len(data) == 101 and data.period == 0.1 and not data.card.has_odometry and data.card.has_command
    held = actions[:200].reshape(100, 2, 2).mean(1)
    assert np.allclose(data.command[:100], np.stack([held[:, 1], -held[:, 0]], 1), atol=1e-6)
    assert data.imu.shape == (101, 6) and np.allclose(data.imu[:, 5], -1.5 * actions[::2, 0], atol=1e-5)
    picture = data.jpeg(7)
    assert picture == (tmp_path / "tub/images/14_cam_image_array_.jpg").read_bytes()
    assert data.card.dropped == {} and data.card.sources[0]["topics"]["steering"] == "user/angle"


def test_frames_marked_as_deleted_are_gaps_and_are_counted(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "tub", 201, deleted=tuple(range(81, 120)))
    data = extracted(tub, tmp_path / "data")
    assert data.card.dropped["frames marked as deleted"] == 39 and len(data.episodes) == 2 and len(data) == 82


def test_missing_cut_off_and_foreign_pictures_are_counted(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "tub", 200)
    picture = tub / "images"
    (picture / "90_cam_image_array_.jpg").unlink()
    whole = (picture / "20_cam_image_array_.jpg").read_bytes()
    (picture / "40_cam_image_array_.jpg").write_bytes(whole[: len(whole) // 2])
    (tub / "secret.jpg").write_bytes(whole)
    changed(tub, lambda r: r | ({"cam/image_array": "../secret.jpg"} if r["_index"] == 151 else {}))
    data = extracted(tub, tmp_path / "data")
    assert data.card.dropped["frames without their picture"] == 2
    assert data.card.dropped["frames with a broken image"] == 1


def test_broken_lines_and_a_broken_manifest_lose_no_other_frame(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "tub", 200)
    changed(tub, lambda r: '{"_index": 60, "cam/im' if r["_index"] == 60 else r)
    with (tub / "catalog_0.catalog").open("ab") as file:
        file.write(b'\x00\x00\xff{"_index": "x"}\n[1, 2]\n')
    (tub / "manifest.json").write_text("{}\n")
    found = read_tub(tub)
    assert len(found.stamps) == 199 and found.dropped["lines that are damaged"] == 3
    assert found.problems == ["manifest.json is damaged: all catalogs are read, and no frame counts as deleted"]


@pytest.mark.parametrize("version", [1, 2])
def test_recordings_without_times_are_taken_to_be_of_20_hz(tmp_path: Path, version: int) -> None:
    if version == 1:
        tub = write_old_tub(tmp_path / "tub", 101, stamped=False)
    else:
        tub = changed(write_tub(tmp_path / "tub", 101), lambda r: {k: v for k, v in r.items() if k != "_timestamp_ms"})
    found = read_tub(tub)
    assert np.allclose(np.diff(found.stamps), 0.05) and "101 frames have no time" in found.problems[0]
    assert len(extracted(tub, tmp_path / "data")) == 51


def test_a_few_missing_times_are_filled_in_from_the_frames_before(tmp_path: Path) -> None:
    tub = changed(
        write_tub(tmp_path / "tub", 100), lambda r: r | ({"_timestamp_ms": None} if 30 <= r["_index"] < 33 else {})
    )
    assert np.allclose(np.diff(read_tub(tub).stamps), 0.05)


def test_tubs_of_version_1_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    tub = write_old_tub(tmp_path / "tub", 101)
    _, actions = drive(101)
    found = read_tub(tub)
    assert np.allclose(found.commands, np.stack([actions[:, 1], -actions[:, 0]], 1)) and found.dropped.total() == 0
    assert len(extracted(tub, tmp_path / "data")) == 51


def test_who_drove_decides_which_commands_count(tmp_path: Path) -> None:
    def driven(record: dict[str, Any]) -> dict[str, Any]:
        mode = ("user", "local_angle", "local", "autopilot")[record["_index"] // 25]
        pilot = {"pilot/angle": -0.25, "pilot/throttle": 0.9} if record["_index"] < 70 else {}
        return record | pilot | {"user/mode": mode, "user/angle": 0.5, "user/throttle": 0.1}

    found = read_tub(changed(write_tub(tmp_path / "tub", 100), driven))
    assert np.allclose(found.commands[[0, 30, 60]], [[0.1, -0.5], [0.1, 0.25], [0.9, 0.25]])
    assert found.dropped["frames without finite commands"] == 0
    assert found.dropped["frames driven by a pilot whose commands are not recorded"] == 5
    assert found.dropped["frames of an unknown user/mode 'autopilot'"] == 25


def test_numbers_that_are_none_are_counted(tmp_path: Path) -> None:
    wrong = {3: float("nan"), 4: "left", 5: None, 6: True, 7: 1e400}
    tub = changed(write_tub(tmp_path / "tub", 60), lambda r: r | {"user/angle": wrong.get(r["_index"], 0.1)})
    found = read_tub(tub)
    assert found.dropped["frames without finite commands"] == 5 and len(found.stamps) == 55


def test_fields_of_other_names_are_found_or_asked_for(tmp_path: Path) -> None:
    def other(record: dict[str, Any]) -> dict[str, Any]:
        names = {"cam/image_array": "front/picture", "user/angle": "steering", "user/throttle": "gas"}
        return {names.get(name, name): value for name, value in record.items()}

    tub = changed(write_tub(tmp_path / "tub", 60), other)
    with pytest.raises(AmiError, match="has no throttle; name it: --topic throttle=FIELD; it has front/picture, gas"):
        read_tub(tub)
    found = read_tub(tub, {"throttle": "gas"})
    assert found.fields == {"throttle": "gas", "image": "front/picture", "steering": "steering"}
    assert len(found.stamps) == 60


def test_sessions_and_clocks_that_go_back_cut_episodes(tmp_path: Path) -> None:
    _, actions = drive(300)
    records = [record_of(i, action, False) for i, action in enumerate(actions)]
    for record in records[100:200]:
        record["_session_id"] = "24-03-06_1"
    for record in records[200:]:
        record |= {"_timestamp_ms": record["_timestamp_ms"] - 3_600_000, "_session_id": "24-03-06_1"}
    tub = write_tub(tmp_path / "tub", 300)
    write_records(tub, records)
    data = extracted(tub, tmp_path / "data")
    assert len(data.episodes) == 3 and data.card.dropped["cuts where the clock went back"] == 1


def test_slow_cameras_are_told_what_to_do(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "tub", 60, rate=3.0)
    with pytest.raises(AmiError, match=r"come every 0\.33 s, and a moment is wanted every 0\.1 s.*--period 0\.33"):
        extracted(tub, tmp_path / "data")


@pytest.mark.parametrize("what", ["empty", "no records", "no pictures"])
def test_what_holds_nothing_is_said_in_one_line(tmp_path: Path, what: str) -> None:
    tub = tmp_path / "tub"
    if what == "empty":
        write_records(tub, [])
    elif what == "no records":
        changed(write_tub(tub, 30), lambda r: "{")
    else:
        write_records(tub, [record_of(i, np.zeros(2), False) for i in range(30)])
    with pytest.raises(AmiError, match=r"frame (in|of) the tub") as error:
        read_tub(tub)
    assert "\n" not in str(error.value)


def test_tubs_are_found_in_a_cars_folder_and_side_by_side(tmp_path: Path) -> None:
    car = write_tub(tmp_path / "mycar/data", 20).parent
    assert tubs_at(car) == [car / "data"] and tubs_at(car / "data") == [car / "data"]
    other = write_old_tub(tmp_path / "tubs/a", 20)
    assert tubs_at(tmp_path / "tubs") == [other] and tubs_at(tmp_path) == []
    (tmp_path / "web").mkdir()
    (tmp_path / "web/manifest.json").write_text('{"name": "app"}')
    assert tubs_at(tmp_path / "web") == []
