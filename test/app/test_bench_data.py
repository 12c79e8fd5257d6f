"""`ami bench data` measures and writes what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ami_ros.app import bench_data


def test_its_figures_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    bench_data.main(frames=200, windows=10, workers=2, steps=2, seed=5, json=out)
    figures = json.loads(out.read_text())
    printed = capsys.readouterr().out
    for name in ("extraction_frames_per_s", "windows_per_s", "training_from_disk_windows_per_s"):
        assert figures[name] > 0 and name in printed
    assert 0 < figures["training_from_disk_compute_ratio"] <= 1 and figures["seed"] == 5 and figures["processor"]
