"""`ami fleet` and `ami train` with what robots recorded: into the folder of the fleet, a model of it, less of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from ami_ros.cli.memory import fleet_compact, fleet_export
from ami_ros.cli.options import train
from ami_ros.cli.train import VERSIONS, open_datasets
from ami_ros.core.errors import AmiError
from ami_ros.memory.fleet.recordings import open_data
from ami_ros.world_model.learning.card import find_data, read_provenance
from ami_ros.world_model.torch_model import WorldModel, save_model
from harness.fleet import TINY, FleetData, fleet_data

__all__ = ["fleet_data"]

pytest.importorskip("lance", reason="the extra lance is not installed")


def test_a_model_is_trained_on_what_robots_sent(
    fleet_data: FleetData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site, model, out = tmp_path / "site", tmp_path / "model", tmp_path / "out"
    save_model(model, "tiny", WorldModel(TINY))
    with pytest.raises(AmiError, match="--model"):
        fleet_export(fleet_data.first.folder, site, robot="ada")
    fleet_export(fleet_data.first.folder, site, robot="ada", model=str(model))
    assert "200 frames of ada were added" in capsys.readouterr().out
    settings = ["head_steps=1", "sight_steps=1", "batch=2", "gains_every=0", "checkpoint_every=9"]
    train([site], out, steps=1, threads=1, settings=settings)
    assert "200 frames" in " ".join(capsys.readouterr().err.split()) and not (out / VERSIONS).exists()
    fleet_export(fleet_data.both.folder, site, robot="bob", model=str(model))
    assert "200 frames of bob were added" in (said := capsys.readouterr().out) and "200 were there already" in said
    origin = read_provenance(out)
    assert origin is not None
    (old,), missing = find_data(out, origin, open_data)
    assert len(old) == 200 and not missing  # what came later is no old data of this model
    fleet_compact(site, keep_hours=60 / 3600)
    said = capsys.readouterr().out
    assert "were dropped, which surprised least" in said and "0.02 h of recordings are left" in said


def test_a_training_that_goes_on_reads_what_it_began_with(fleet_data: FleetData, tmp_path: Path) -> None:
    site, model, out = tmp_path / "site", tmp_path / "model", tmp_path / "out"
    save_model(model, "tiny", WorldModel(TINY))
    out.mkdir()
    for data, robot in ((fleet_data.first, "ada"), (fleet_data.both, "bob")):
        fleet_export(data.folder, site, robot=robot, model=str(model))
        assert [len(each) for each in open_datasets([site], out, TINY, Console(quiet=True))] == [200]
    fleet_compact(site, keep_days=0)
    with pytest.raises(AmiError, match="has its version 1 no more: begin anew"):
        open_datasets([site], out, TINY, Console(quiet=True))
