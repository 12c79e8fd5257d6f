import json
from pathlib import Path

import pytest

from ami_ros.app import bench_mission
from ami_ros.errors import AmiError


def test_bench_mission_prints_a_table_and_writes_flat_figures_with_units(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    bench_mission.main(world="empty", legs=1, minutes=0.1, seed=4, json=file)
    assert "explore: reachable area seen" in capsys.readouterr().out
    figures = json.loads(file.read_text())
    assert {name for name, *_ in bench_mission.ROWS} <= set(figures)
    assert (figures["seed"], figures["world"], figures["mission_legs"]) == (4, "empty", 1)
    assert {"processor", "cores", "encoder_id"} <= set(figures)
    assert not any(isinstance(value, dict | list) for value in figures.values())


def test_world_without_a_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"no memory .*none\.memory"):
        bench_mission.main(memory=tmp_path / "none.memory")
