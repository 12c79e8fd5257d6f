import json
from pathlib import Path

import pytest

from ami_ros.app import bench_recovery
from ami_ros.errors import AmiError
from ami_ros.evaluation.recovery_trials import KINDS


def test_bench_recovery_drives_each_kind_and_writes_flat_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    bench_recovery.main(world="two_rooms", goals=1, seed=7, json=file)
    figures, said = json.loads(file.read_text()), capsys.readouterr().out
    for kind in KINDS:
        assert f"{kind}: reached" in said and figures[f"{kind}_n"] == 1
        assert figures[f"{kind}_time_p50_s"] > 0 and 0.0 <= figures[f"{kind}_slower_share"] <= 1.0
    assert figures["carried_away_noticed"] == 1
    assert not any(isinstance(value, dict | list) for value in figures.values())


def test_world_without_a_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="there is no memory"):
        bench_recovery.main(memory=tmp_path / "none.memory")
