import json
from pathlib import Path

import pytest

from ami_ros.app import bench_memory


def test_bench_prints_tables_and_writes_flat_figures_with_units(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench_memory.main(entries=2000, queries=10, seed=3, json=tmp_path / "bench.json")
    printed = capsys.readouterr().out
    assert "numpy flat" in printed and "2000 places at work" in printed
    figures = json.loads((tmp_path / "bench.json").read_text())
    assert figures["recall_2k_recall"] == 1.0 and figures["seed"] == 3
    assert figures["recall_within_3_m_wrong_percent"] == figures["recall_of_one_episode_wrong_percent"] == 0.0
    assert {"recall_2k_p99_ms", "reload_s", "appends_per_s", "path_p99_ms", "edge_p50_us", "rss_mb"} <= set(figures)
    assert not any(isinstance(value, dict | list) for value in figures.values())
