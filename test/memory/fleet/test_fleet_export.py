"""Recordings of a fleet in one data set: each once, all of it or nothing, and what surprised is kept."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.memory.fleet.dataset import FRAMES, compact
from ami_ros.memory.fleet.recordings import BATCH, FleetDataset, export_recordings, keep_surprising
from ami_ros.world_model.learning.dataset import Dataset
from harness.fleet import FleetData, changed

lance = pytest.importorskip("lance", reason="the extra lance is not installed")


def test_a_recording_is_added_once_in_whatever_data_set_it_comes(fleet_data: FleetData, tmp_path: Path) -> None:
    first, both, model = fleet_data.first, fleet_data.both, fleet_data.model
    assert export_recordings(first, tmp_path, "ada", model) == (200, 0)
    assert export_recordings(first, tmp_path, "ada", model) == (0, 200)
    assert export_recordings(both, tmp_path, "bob", model) == (200, 200)
    fleet = FleetDataset(tmp_path)
    assert [source["path"].split()[-1] for source in fleet.card.sources] == ["(ada)", "(bob)"]
    assert fleet.version == 2 and fleet.recordings == both.recordings


class Interrupted(Dataset):
    """Ends after its first pictures, as a robot that is switched off meanwhile."""

    def jpegs(self, rows: Sequence[int] | NDArray[np.int64]) -> list[bytes]:
        if rows[0] >= 200:
            raise KeyboardInterrupt
        return super().jpegs(rows)


def test_an_export_that_ends_early_leaves_nothing_that_is_seen(fleet_data: FleetData, tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="cannot be written") as refused:
        export_recordings(Interrupted(fleet_data.both.folder), tmp_path, "ada", fleet_data.model)
    assert "\n" not in str(refused.value)
    with pytest.raises(AmiError, match="cannot be read"):
        FleetDataset(tmp_path)
    assert export_recordings(fleet_data.both, tmp_path, "ada", fleet_data.model) == (400, 0)
    assert len(FleetDataset(tmp_path)) == 400


def test_a_full_disk_is_said_in_a_line_and_the_export_is_repeated(fleet_data: FleetData, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(AmiError, match=r"cannot be written: .*File too large") as refused:
            export_recordings(fleet_data.both, tmp_path, "ada", fleet_data.model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(refused.value)
    assert export_recordings(fleet_data.both, tmp_path, "ada", fleet_data.model) == (400, 0)


def surprising(table: Any) -> list[float]:
    return sorted(set(table.to_table(columns=["surprise"])["surprise"].to_pylist()))


def test_what_surprised_least_goes_first_until_the_rest_fits(fleet_data: FleetData, tmp_path: Path) -> None:
    export_recordings(fleet_data.first, tmp_path, "ada", fleet_data.model)
    export_recordings(fleet_data.both, tmp_path, "bob", fleet_data.model)
    before = surprising(lance.dataset(str(tmp_path / FRAMES)))
    assert len(before) == 4 and np.isfinite(before).all()  # stretches of 20 s
    assert keep_surprising(tmp_path, 1.0) == ({}, pytest.approx(80 / 3600))
    dropped, left = keep_surprising(tmp_path, 45 / 3600)
    assert sum(dropped.values()) == pytest.approx(40 / 3600) == left and set(dropped) == {"ada", "bob"}
    assert surprising(lance.dataset(str(tmp_path / FRAMES))) == before[2:]
    old, new = FleetDataset(tmp_path, 2), FleetDataset(tmp_path)
    assert len(old) == 400 and len(new) == 200 and all(stop - start in (100, 200) for start, stop in new.episodes)
    assert old.runs == old.episodes and sum(stop - start for start, stop in new.runs) == 200
    assert compact(tmp_path, 0.0) > 0 and len(FleetDataset(tmp_path)) == 200
    with pytest.raises(AmiError, match="has its version 2 no more"):
        FleetDataset(tmp_path, 2)
    assert keep_surprising(tmp_path, 0.001)[1] == pytest.approx(20 / 3600)  # one stays


def test_what_cannot_be_added_is_said_in_a_line(fleet_data: FleetData, tmp_path: Path) -> None:
    data, model = fleet_data.first, fleet_data.model
    poses = np.array(data.odometry)
    poses[7] = np.nan
    for what, robot, message in (
        (data, "' OR 1=1", "name"),
        (changed(data, odometry=poses), "ada", "1 poses are not finite"),
        (changed(data, command=np.full((200, 2), np.nan, np.float32)), "ada", "has no commands"),
        (changed(data, period=0.1), "ada", "a frame each 0.1 s, the model one each 0.2 s"),
    ):
        with pytest.raises(AmiError, match=message):
            export_recordings(what, tmp_path, robot, model)
    with pytest.raises(AmiError, match="cannot be written"):
        keep_surprising(tmp_path, 1.0)
    assert not (tmp_path / FRAMES).exists() and len(data) < BATCH


def test_without_the_extra_the_line_names_it(
    fleet_data: FleetData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(AmiError, match=r"lance is not installed.*requirements/lance\.txt"):
        export_recordings(fleet_data.first, tmp_path, "ada", fleet_data.model)
