import json
from pathlib import Path

import pytest

from ami_ros.app import bench_control


def test_bench_prints_a_table_and_writes_flat_figures_with_units(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench_control.main(places=20, repeats=2, seed=3, json=tmp_path / "bench.json")
    printed = capsys.readouterr().out
    assert "find_route" in printed and "20 places" in printed
    figures = json.loads((tmp_path / "bench.json").read_text())
    assert {
        f"{part}_p95_ms" for part in ("encode", "encode_picture", "compare", "plan", "plan_among_people", "find_route")
    } <= set(figures)
    assert figures["seed"] == 3
    assert not any(isinstance(value, dict | list) for value in figures.values())
