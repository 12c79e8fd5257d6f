"""Extraction of what goes wrong: interruptions, broken bags, numbers that are none, cameras that are stuck."""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from ami_ros.cli.data import export
from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.bag_writer import BagWriter, message_types
from ami_ros.world_model.learning.dataset import IMAGES, Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig, export_bags, extract
from harness.processes import Children

PERIOD = 0.2

# Stops by itself in the middle of the third bag, so that the kill comes while there is something to lose.
EXTRACT_AND_WAIT = """
import sys, time
from pathlib import Path
from ami_ros.world_model.learning.extract import extract
def progress(done, total):
    if done > 0.6 * total:
        print("waiting", flush=True)
        time.sleep(600)
extract([Path(bag) for bag in sys.argv[2:]], Path(sys.argv[1]), progress=progress)
"""


def record(path: Path, rows: int = 100, picture: Callable[[int], bytes] | None = None, nan_at: int = -1) -> Path:
    rng = np.random.default_rng(len(path.name))
    with BagWriter(path) as bag:
        for i in range(rows):
            stamp = PERIOD * i
            jpeg = picture(i) if picture else encode_frame(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8))
            bag.image("image/compressed", stamp, jpeg)
            bag.odometry("odom", stamp, [np.nan if i == nan_at else 0.1 * i, 0.0, 0.0], (0.5, 0.0))
            bag.command("cmd_vel", stamp, 0.5, 0.0)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        name: (folder / name).read_bytes() for name in [IMAGES, *(file.name for file in sorted(folder.glob("*.npy")))]
    }


def test_a_killed_extraction_goes_on_with_the_bag_it_was_at(tmp_path: Path, children: Children) -> None:
    bags = [record(tmp_path / f"bag{'x' * i}") for i in range(4)]
    child = children.python("-c", EXTRACT_AND_WAIT, str(tmp_path / "data"), *map(str, bags))
    child.wait_for_output("waiting")
    with pytest.raises(AmiError, match="another process extracts into"):
        extract(bags, tmp_path / "data")
    child.send(signal.SIGKILL)
    child.wait(10)
    assert not (tmp_path / "data").exists()
    first: list[int] = []
    data = extract(bags, tmp_path / "data", progress=lambda done, total: first.append(done))
    assert first[0] > 2 * 4 * 100  # of the first two bags nothing is read again (images are read twice)
    whole = extract(bags, tmp_path / "whole")
    assert files(data.folder) == files(whole.folder) and data.card == whole.card
    data.verify()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("data")) == ["data"]


def test_other_bags_or_settings_begin_anew(tmp_path: Path, children: Children) -> None:
    bags = [record(tmp_path / f"bag{'x' * i}") for i in range(4)]
    child = children.python("-c", EXTRACT_AND_WAIT, str(tmp_path / "data"), *map(str, bags))
    child.wait_for_output("waiting")
    child.send(signal.SIGKILL)
    child.wait(10)
    data = extract(bags[1:], tmp_path / "data", ExtractConfig(max_side=32))
    assert files(data.folder) == files(extract(bags[1:], tmp_path / "whole", ExtractConfig(max_side=32)).folder)


@pytest.mark.fault("bag damaged")
def test_damage_inside_an_indexed_bag_loses_only_its_chunk(tmp_path: Path) -> None:
    bag = record(tmp_path / "bag", 600)
    file = bag / "bag.mcap"
    content = bytearray(file.read_bytes())
    start = content.index(b"\x28\xb5\x2f\xfd", len(content) // 5)  # a zstd frame; the index stays as it was
    content[start : start + 4] = b"\0" * 4
    file.write_bytes(content)
    data = extract([bag], tmp_path / "data")
    assert any("is broken" in problem for problem in data.card.sources[0]["problems"])
    assert len(data.episodes) == 2 and 200 < len(data) < 600
    # Frames and pictures still belong together behind the damage.
    whole = extract([record(tmp_path / "bog", 600)], tmp_path / "whole")
    rows = np.rint(np.asarray(data.stamp) / PERIOD).astype(int)
    assert rows[-1] == 599 and all(data.jpeg(i) == whole.jpeg(row) for i, row in enumerate(rows.tolist()))


@pytest.mark.parametrize("part", [0.3, 0.75])
def test_a_damaged_sqlite_bag_is_one_line(tmp_path: Path, part: float) -> None:
    old = tmp_path / "old"
    storage = StoragePlugin.SQLITE3
    with Reader(record(tmp_path / "bag", 300)) as bag, Writer(old, version=8, storage_plugin=storage) as copy:
        types = message_types()
        known = {c.topic: copy.add_connection(c.topic, c.msgtype, typestore=types) for c in bag.connections}
        for connection, time, data in bag.messages():
            copy.write(known[connection.topic], time, data)
    file = old / "old.db3"
    content = bytearray(file.read_bytes())
    start = int(len(content) * part)
    content[start : start + 40_000] = np.random.default_rng(0).bytes(min(40_000, len(content) - start))
    file.write_bytes(content)
    with pytest.raises(AmiError, match=r"not a readable bag|is damaged") as raised:
        extract([old], tmp_path / "data")
    assert "\n" not in str(raised.value) and not (tmp_path / "data").exists()


def test_odometry_that_is_no_number_is_left_out_and_reported(tmp_path: Path) -> None:
    data = extract([record(tmp_path / "bag", nan_at=50)], tmp_path / "data")
    assert data.card.dropped["messages of /odom with numbers that are not finite"] == 1
    assert data.episodes == [(0, 50), (50, 99)] and np.isfinite(data.odometry).all()


@pytest.mark.parametrize(("beams", "step"), [(0, np.pi / 4), (8, 0.0)])
def test_a_scan_without_beams_or_angles_is_left_out_and_reported(tmp_path: Path, beams: int, step: float) -> None:
    """One such message, which drivers send as they start, ended the extraction of the whole bag."""
    with BagWriter(tmp_path / "bag") as bag:
        for i in range(100):
            bag.image("image/compressed", PERIOD * i, encode_frame(np.full((48, 48, 3), i, np.uint8)))
            bag.odometry("odom", PERIOD * i, [0.1 * i, 0.0, 0.0], (0.5, 0.0))
            bag.command("cmd_vel", PERIOD * i, 0.5, 0.0)
            seen = (beams, step) if i in (0, 50) else (8, np.pi / 4)
            bag.scan("scan", PERIOD * i, np.full(seen[0], 2.0), -np.pi, seen[1], frame="base_link")
    data = extract([tmp_path / "bag"], tmp_path / "data")
    assert data.card.dropped["messages of /scan without beams, or without angles between them"] == 2
    assert data.scan.shape[1] == 8 and len(data) > 80 and (data.scan == 2.0).all()


def test_a_stuck_camera_and_pictures_of_several_sizes_are_named(tmp_path: Path) -> None:
    same = encode_frame(np.full((48, 48, 3), 90, dtype=np.uint8))
    wide = encode_frame(np.full((48, 64, 3), 90, dtype=np.uint8))
    stuck = record(tmp_path / "stuck", picture=lambda i: same)
    mixed = record(tmp_path / "mixed", picture=lambda i: wide if i > 50 else same)
    first, second = extract([stuck, mixed], tmp_path / "data").card.sources
    assert first["problems"] == ["all its pictures are the same: is the camera covered, or its driver stuck?"]
    assert "several sizes (48x48, 64x48)" in second["problems"][0]


def test_a_full_disk_is_one_line_and_room_lets_it_go_on(tmp_path: Path, children: Children) -> None:
    bags = [record(tmp_path / f"bag{'x' * i}") for i in range(3)]
    limited = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
from ami_ros.cli.main import run
run({["extract", *map(str, bags), "--out", str(tmp_path / "data")]!r})
"""
    child = children.python("-c", limited)
    assert child.wait(60) == 2
    assert f"cannot write the data set {tmp_path / 'data'}: File too large; mend it" in " ".join(child.output().split())
    assert not (tmp_path / "data").exists()
    assert len(extract(bags, tmp_path / "data")) == 300
    Dataset(tmp_path / "data").verify()


def test_an_empty_bag_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag"):
        pass
    with pytest.raises(AmiError, match=r"bag has no image .*it has nothing") as raised:
        extract([tmp_path / "bag"], tmp_path / "data")
    assert "\n" not in str(raised.value) and [p.name for p in tmp_path.iterdir()] == ["bag"]


def test_broken_bits_anywhere_in_a_bag_give_one_line_or_a_data_set(tmp_path: Path) -> None:
    bag, rng = tmp_path / "bag", np.random.default_rng(0)
    with BagWriter(bag) as writer:
        for i in range(30):
            jpeg = encode_frame(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
            writer.image("image/compressed", PERIOD * i, jpeg)
            writer.odometry("odom", PERIOD * i, [0.1 * i, 0.0, 0.0], (0.5, 0.0))
            writer.command("cmd_vel", PERIOD * i, 0.5, 0.0)
    [file] = bag.glob("*.mcap")
    content = file.read_bytes()
    definition = content.index(b"MSG: ")
    for k in range(9):  # a third of them where the types are defined
        damaged = bytearray(content)
        at = definition + int(rng.integers(1500)) if k % 3 == 0 else int(rng.integers(len(content)))
        damaged[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            data = extract([bag], tmp_path / f"data{k}")
        except AmiError as error:
            assert str(error).isprintable()
        else:
            assert len(data.card.sources) == 1
        shutil.rmtree(tmp_path / f"data{k}.partial", ignore_errors=True)


# A data set as bags: what `extract` makes of them is the data set.


COLUMNS = "stamp", "scan", "odometry", "command", "velocity", "truth"


def test_bags_of_a_data_set_give_it_back(dataset: Dataset, tmp_path: Path) -> None:
    back = extract(export_bags(dataset, tmp_path / "bags"), tmp_path / "back")
    assert back.episodes == dataset.episodes
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(back, name), getattr(dataset, name), atol=1e-6, err_msg=name)
    assert [back.jpeg(row) for row in (0, 500)] == [dataset.jpeg(row) for row in (0, 500)]


@pytest.mark.parametrize("mount", [Mount(0.2, -0.1, 0.5, upside_down=True), Mount(-0.1, 0.0, -2.0), None])
def test_camera_and_mount_come_along(mount: Mount | None, tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        if mount is not None:
            bag.mount("tf_static", 0.0, mount, "laser")
        for k in range(20):
            stamp = 0.2 * k
            bag.image("image/compressed", stamp, encode_frame(np.full((32, 32, 3), 9 * k, np.uint8)))
            bag.camera_info("camera_info", stamp, (32, 32), (16.0, 16.0, 16.0, 16.0))
            bag.scan("scan", stamp, 1.0 + np.arange(8), 0.0, math.pi / 4, frame="laser")
            bag.odometry("odom", stamp, [0.1 * k, 0.0, 3.1], (0.5, 0.1))
            bag.command("cmd_vel", stamp, 0.01 * k, -0.02 * k)
    wide = ExtractConfig(field_of_view=math.radians(80.0))
    first = extract([tmp_path / "bag"], tmp_path / "first", wide)
    back = extract(export_bags(first, tmp_path / "bags"), tmp_path / "back", wide)
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(back, name), getattr(first, name), atol=1e-6, err_msg=name)
    assert (back.scanner is None) == (mount is None)
    if mount is not None and back.scanner is not None:
        assert back.scanner.upside_down == mount.upside_down
        found, wanted = ((m.x, m.y, m.yaw) for m in (back.scanner, mount))
        np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert back.field_of_view == first.field_of_view
    assert back.jpeg(7) == first.jpeg(7)


def test_an_interrupted_export_goes_on(dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted(Exception): ...

    def interrupt(done: int, total: int) -> None:
        if done > 450:
            raise Interrupted

    with pytest.raises(Interrupted):
        export_bags(dataset, tmp_path / "bags", interrupt)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "bags").glob("episode_*")}
    assert len(before) == 2
    export(dataset.folder, tmp_path / "bags", bags=True)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "bags").iterdir()}
    assert len(after) == 6 and before.items() <= after.items()
    assert "1,200 rows in 6 bags" in capsys.readouterr().out
