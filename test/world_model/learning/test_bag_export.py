"""A data set as bags: what `extract` makes of them is the data set."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ami_ros.cli.data import export
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig, export_bags, extract

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
