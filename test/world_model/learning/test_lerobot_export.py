"""LeRobotDataset v3: what is exported comes back, and stands where lerobot looks for it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.cli.data import export, extract
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.alignment import AlignmentConfig
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig
from ami_ros.world_model.learning.lerobot_export import export_lerobot
from ami_ros.world_model.learning.lerobot_import import import_lerobot

pytest.importorskip("av")
parquet = pytest.importorskip("pyarrow.parquet")
pyarrow = pytest.importorskip("pyarrow")

CAMERA = "observation.images.camera"


@pytest.fixture(scope="module")
def exported(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In shards of two episodes."""
    folder: Path = tmp_path_factory.mktemp("lerobot") / "exported"
    export_lerobot(dataset, folder, "explore", shard_rows=450)
    return folder


def test_what_is_exported_comes_back(dataset: Dataset, exported: Path, tmp_path: Path) -> None:
    data = import_lerobot(exported, tmp_path / "data")
    data.verify()
    assert data.episodes == dataset.episodes and data.period == dataset.period
    for name in ("odometry", "command", "velocity", "scan"):
        np.testing.assert_allclose(getattr(data, name), getattr(dataset, name), atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(data.stamp, dataset.stamp)
    assert np.isinf(data.scan).sum() == np.isinf(dataset.scan).sum()
    rows = np.array([0, 199, 200, 399, 400, 777, 1199])
    difference = np.abs(data.images(rows, 32).astype(int) - dataset.images(rows, 32))
    assert difference.mean() < 8  # pixels of 32 are noisy, and colours have half the resolution
    shuffled = np.abs(data.images(rows, 32).astype(int) - dataset.images(np.roll(rows, 1), 32))
    assert difference.mean() < 0.5 * shuffled.mean()


def test_files_stand_where_lerobot_looks_for_them(dataset: Dataset, exported: Path) -> None:
    info = json.loads((exported / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["fps"] == 5 and info["splits"] == {"train": "0:6"}
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (6, 1200, 1)
    assert info["features"][CAMERA]["dtype"] == "video" and info["features"][CAMERA]["shape"] == [32, 32, 3]
    assert info["features"]["action"] == {"dtype": "float32", "shape": [2], "names": ["linear", "angular"]}
    episodes = parquet.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [e["length"] for e in episodes] == [200] * 6
    assert [e["data/file_index"] for e in episodes] == [0, 0, 1, 1, 2, 2]
    second = episodes[3]
    assert (second["dataset_from_index"], second["dataset_to_index"], second["tasks"]) == (600, 800, ["explore"])
    assert (second[f"videos/{CAMERA}/from_timestamp"], second[f"videos/{CAMERA}/to_timestamp"]) == (40.0, 80.0)
    place: dict[str, Any] = {"chunk_index": 0, "file_index": 1}
    assert (exported / info["video_path"].format(video_key=CAMERA, **place)).is_file()
    table = parquet.read_table(exported / info["data_path"].format(**place))
    assert set(table.column_names) == {n for n, f in info["features"].items() if f["dtype"] != "video"}
    row = table.slice(201, 1).to_pylist()[0]
    assert (row["episode_index"], row["frame_index"], row["index"], row["task_index"]) == (3, 1, 601, 0)
    assert row["timestamp"] == pytest.approx(0.2)
    np.testing.assert_allclose(row["action"], dataset.command[601], atol=1e-6)
    tasks = parquet.read_table(exported / "meta/tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    assert tasks.to_pylist() == [{"task_index": 0, "task": "explore"}]
    stats = json.loads((exported / "meta/stats.json").read_text())
    np.testing.assert_allclose(stats["action"]["mean"], np.asarray(dataset.command).mean(0), atol=1e-5)
    assert np.shape(stats[CAMERA]["std"]) == (3, 1, 1) and stats["action"]["count"] == [1200]
    assert second["stats/action/max"] == pytest.approx(np.asarray(dataset.command[600:800]).max(0).tolist())


def test_every_second_frame_makes_twice_the_period(dataset: Dataset, exported: Path, tmp_path: Path) -> None:
    config = ExtractConfig(AlignmentConfig(period=0.4))
    data = import_lerobot(exported, tmp_path / "data", config)
    assert len(data) == 600 and data.period == 0.4
    np.testing.assert_allclose(data.odometry[100:200], dataset.odometry[200:400:2], atol=1e-5)
    np.testing.assert_allclose(data.command[7], np.asarray(dataset.command[14:16]).mean(0), atol=1e-6)
    assert np.abs(data.images(np.array([101]), 32).astype(int) - dataset.images(np.array([202]), 32)).mean() < 8
    with pytest.raises(AmiError, match=r"0.2 s apart: give a multiple"):
        import_lerobot(exported, tmp_path / "other", ExtractConfig(AlignmentConfig(period=0.3)))


def foreign(folder: Path, version: str = "v3.0") -> Path:
    """A data set as another program may write it: pictures in the table, other names, 10 frames a second, no video."""
    n = 60
    pictures = [{"bytes": encode_frame(np.full((24, 32, 3), 4 * i, np.uint8)), "path": None} for i in range(n)]
    state = np.stack([np.arange(n) * 9.0, np.arange(n) * 0.05, np.zeros(n), np.zeros(n)], axis=1)
    action = np.tile([0.5, 0.0, 0.1], (n, 1))
    table = pyarrow.table(
        {
            "observation.image": pictures,
            "observation.state": state.tolist(),
            "action": action.tolist(),
            "frame_index": list(range(n)),
            "episode_index": [0] * n,
        }
    )
    (folder / "data/chunk-000").mkdir(parents=True)
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    parquet.write_table(table, folder / "data/chunk-000/file-000.parquet")
    episode = {"episode_index": 0, "length": n, "data/chunk_index": 0, "data/file_index": 0, "dataset_from_index": 0}
    parquet.write_table(pyarrow.Table.from_pylist([episode]), folder / "meta/episodes/chunk-000/file-000.parquet")
    features = {
        "observation.image": {"dtype": "image", "shape": [24, 32, 3], "names": None},
        "observation.state": {"dtype": "float32", "shape": [4], "names": None},
        "action": {"dtype": "float32", "shape": [3], "names": ["x.vel", "y.vel", "theta.vel"]},
    }
    path = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    info = {"codebase_version": version, "fps": 10, "features": features, "data_path": path, "video_path": None}
    (folder / "meta/info.json").write_text(json.dumps(info))
    return folder


def test_foreign_features_are_named_by_the_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = foreign(tmp_path / "foreign")
    out = tmp_path / "data"
    with pytest.raises(AmiError, match=r"is the command.*--topic command=FEATURE:0,1"):
        extract([bag], out)
    with pytest.raises(AmiError, match=r"no action:0,7 fit for 'command'"):
        extract([bag], out, topic=["command=action:0,7"])
    extract([bag], out, topic=["command=action:0,2", "odometry=observation.state:1,2,3"])
    data = Dataset(out)
    assert len(data) == 30 and data.card.image_size == (32, 24) and data.card.scan_beams == 0
    np.testing.assert_allclose(data.odometry[:, 0], 0.1 * np.arange(30))
    np.testing.assert_allclose(data.command[3], [0.5, 0.1], atol=1e-6)
    np.testing.assert_allclose(data.velocity[:, 0], 0.5, atol=1e-6)  # from the odometry
    assert abs(int(data.images(np.array([20]), 16).mean()) - 160) < 3
    assert "30 in 1 episodes" in " ".join(capsys.readouterr().out.split())


def test_an_older_version_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"LeRobotDataset v2.1: convert it to v3.0") as refused:
        import_lerobot(foreign(tmp_path / "old", "v2.1"), tmp_path / "data")
    assert "\n" not in str(refused.value) and not (tmp_path / "data.partial").exists()


def test_a_broken_video_is_one_line_and_leaves_nothing(exported: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(exported, broken)
    file = next(broken.glob("videos/*/*/file-001.mp4"))
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(AmiError, match=r"file-001.mp4 cannot be decoded") as refused:
        import_lerobot(broken, tmp_path / "data")
    assert "\n" not in str(refused.value) and not list(tmp_path.glob("data*"))


def test_the_command_exports_and_refuses_to_overwrite(dataset: Dataset, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="exists already"):
        export(dataset.folder, exported)


def test_without_the_extra_both_ways_say_so(
    dataset: Dataset, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (
        lambda: export_lerobot(dataset, tmp_path / "a", "x"),
        lambda: import_lerobot(exported, tmp_path / "b"),
    ):
        with pytest.raises(AmiError, match=r"av is not installed; .*pip install .*lerobot"):
            call()
    assert not list(tmp_path.iterdir())
