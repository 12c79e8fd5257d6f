import json
from pathlib import Path

import pytest

from ami_ros.app import bench_places


def test_bench_places_prints_a_table_and_writes_flat_figures_with_units(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    bench_places.main(
        world="two_rooms", minutes=0.2, starts=1, goals=2, kidnappings=1, hours=0.001, drift=0.05, seed=4, json=file
    )
    printed = capsys.readouterr().out
    assert "cold start: right after 3 s" in printed and ">= 95 %" in printed
    figures = json.loads(file.read_text())
    names = {name for name, *_ in (*bench_places.ROWS, *bench_places.LATER)}
    assert names <= set(figures)
    assert (figures["seed"], figures["world"], figures["drift"]) == (4, "two_rooms", 0.05)
    assert {"processor", "cores", "encoder_id"} <= set(figures)
    moments = [value for name, value in figures.items() if name.startswith("cold_reliability") and "moments" in name]
    assert sum(moments) == figures["cold_moments"] and "switched on" in printed
    assert not any(isinstance(value, dict | list) for value in figures.values())
