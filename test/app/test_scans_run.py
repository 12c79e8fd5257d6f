"""`ami scans`: a network that compares scans, and figures of drives that it did not learn from."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ami_ros.app.scans_run import DRIVES, ScanJob, run
from ami_ros.errors import AmiError
from ami_ros.world_model.scan_pairs import load_scan_pairs
from harness import Children, wait_until
from harness.processes import ChildProcess


def job(folder: Path) -> ScanJob:
    return ScanJob(folder / "out", 1, 0, 1, 1, 3, 0, 1, folder / "f.json")


def test_what_it_writes_compares_scans(tmp_path: Path) -> None:
    run(replace(job(tmp_path), buildings=1))
    load_scan_pairs(tmp_path / "out")
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["corridors"] == 1 and figures["buildings"] == 1 and figures["steps"] == 3 and figures["fits"] > 50
    assert 0.0 <= figures["corridors_area_by_share"] <= 1.0 and 0.0 <= figures["buildings_area"] <= 1.0


@pytest.mark.parametrize(
    ("change", "why"),
    [({"corridors": 0}, "to learn from"), ({"buildings": 1, "first": 100_000}, "is a building for tests")],
)
def test_what_cannot_be_learned_is_refused(tmp_path: Path, change: dict[str, int], why: str) -> None:
    with pytest.raises(AmiError, match=why):
        run(replace(job(tmp_path), **change))  # type: ignore[arg-type]


def scans(children: Children, out: Path, steps: int) -> ChildProcess:
    few = ["--corridors", "3", "--buildings", "0", "--held-out", "1", "--workers", "1"]
    return children.python("-m", "ami_ros.app", "scans", "--out", str(out), "--steps", str(steps), *few)


def test_ctrl_c_keeps_drives_and_steps(tmp_path: Path, children: Children) -> None:
    """A real one, first while it drives, then while it learns."""
    out = tmp_path / "out"
    first = scans(children, out, 100_000)
    wait_until(lambda: list((out / DRIVES).glob("[!.]*.npz")), 120, "one drive")
    first.send(signal.SIGINT)
    assert first.wait(60) == 130 and "repeat the command" in first.output(), first.output()
    kept = {file: file.stat().st_mtime_ns for file in (out / DRIVES).glob("[!.]*.npz")}
    second = scans(children, out, 100_000)
    wait_until((out / "scans_so_far.safetensors").exists, 240, second.output)
    second.send(signal.SIGINT)
    assert second.wait(60) == 130, second.output()
    assert kept and all(file.stat().st_mtime_ns == written for file, written in kept.items()), "driven once"
    other = scans(children, out, 7)
    assert other.wait(120) == 2 and "other steps" in other.output()
    assert not (out / "weights.safetensors").exists()
