"""`ami train`, `remember` and `evaluate` on a little real experience."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ami_ros.cli.data import extract
from ami_ros.cli.memory import remember
from ami_ros.cli.options import evaluate, train
from ami_ros.cli.progress import progress_bar
from ami_ros.cli.train import TrainingLog
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.memory.store import Store
from ami_ros.world_model.learning.card import read_provenance, write_measurements
from ami_ros.world_model.learning.collection import CollectionConfig, open_collection, record_run
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.trainer import CHECKPOINT
from ami_ros.world_model.torch_model import load_model

# What is learned is nothing: small networks learn it sooner.
TINY = [f"spec.{width}=16" for width in ("latent_dim", "encoder_width", "predictor_width", "head_width")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short runs in the smallest world."""
    out = tmp_path_factory.mktemp("experience") / "runs"
    config = CollectionConfig(world="empty", steps=160, runs=2)
    with open_collection(out, config) as missing:
        for run in missing:
            record_run(out, config, run, lambda: None)
    return out


@pytest.fixture(scope="module")
def model(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three steps: it knows nothing, but it is one."""
    out = tmp_path_factory.mktemp("model") / "small"
    train([runs], out, steps=3, settings=["head_steps=3", "sight_steps=1", *TINY], threads=1)
    return out


def test_train_leaves_a_model_with_a_card_and_refuses_to_overwrite_it(runs: Path, model: Path) -> None:
    loaded = load_model(model)
    assert loaded.name == "small" and loaded.encoder_id in (model / "card.md").read_text()
    assert not (model / CHECKPOINT).exists()
    with pytest.raises(AmiError, match="holds a finished model"):
        train([runs], model, steps=3, threads=1)


def test_a_finished_model_gets_heads_and_its_memories_stay_valid(runs: Path, tmp_path: Path) -> None:
    bare, full = tmp_path / "bare", tmp_path / "full"
    without = ["sight_steps=1", "spec.ensemble=0", *TINY]
    train([runs], bare, steps=2, settings=without, threads=1)
    train([runs], full, start=bare, heads=True, settings=["head_steps=2", "sight_steps=1"], threads=1)
    before, after = load_model(bare), load_model(full)
    assert not before.model.spec.ensemble and after.model.spec.ensemble
    assert before.encoder_id == after.encoder_id and before.sha256 != after.sha256
    for name, value in before.model.state_dict().items():
        assert value.equal(after.model.state_dict()[name]), name
    assert "learned heads: ensemble of 3" in (full / "card.md").read_text()


def test_a_model_learns_what_the_commands_of_a_faster_robot_do_and_its_memories_stay_valid(
    runs: Path, model: Path, tmp_path: Path
) -> None:
    out, settings = tmp_path / "faster", ["head_steps=2", "windows.starts=3"]
    train([runs], out, robot="ami_bot_fast", start=model, dynamics=True, steps=2, settings=settings, threads=1)
    before, after = load_model(model), load_model(out)
    assert after.encoder_id == before.encoder_id and after.model.spec.max_linear == 1.0
    assert after.sha256 != before.sha256


def test_going_on_from_a_model_replays_its_data_and_says_what_is_forgotten(
    runs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    extract([runs / "run_000"], tmp_path / "new")
    more = ["held_out=0.25", "replay=0.25", "head_steps=1", "sight_steps=1"]
    train(
        [tmp_path / "new"], tmp_path / "more", start=model, steps=2, threads=1, settings=more, json=figures,
    )  # fmt: skip
    words = " ".join(capsys.readouterr().err.split())
    assert "80 frames, 25% of each batch from 160 old ones" in words and "of the step time was computing" in words
    for progress in ("step 1 of 2 prediction", "step 2 of 2 prediction", "sight 100% loss", "ensemble 100% loss"):
        assert progress in words, "without a terminal there is no bar, so lines tell how far it is"
    measured = json.loads(figures.read_text())
    for data in ("old", "new"):
        for when in ("before", "after"):
            assert measured[f"{data}_{when}_position_error_m"] > 0
    assert measured["old_before_position_error_m"] != measured["old_after_position_error_m"]
    card = (tmp_path / "more" / "card.md").read_text("utf-8")
    shown = f"{measured['old_after_heading_error_deg']:.3g}"
    assert f"| old data | relative heading, median error [deg] | {measured['old_before_heading_error_deg']:.3g}" in card
    assert shown in card and "25% of each episode" in card
    origin = read_provenance(tmp_path / "more")
    assert origin is not None and origin.settings == tuple(more) and [d.frames for d in origin.data] == [80, 160]
    assert origin.data[0].path == "../new"


def test_old_data_that_is_gone_is_named_and_may_be_given(
    runs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(model, moved)
    (moved / "dataset").rename(tmp_path / "old")
    train(
        [model / "dataset"], tmp_path / "a", start=moved, steps=1, threads=1, settings=["head_steps=1", "sight_steps=1"]
    )
    words = capsys.readouterr().err.replace("\n", "")
    assert f"not replayed, as it is not there: {moved / 'dataset'}; name it by --replay" in words
    extract([runs / "run_000"], tmp_path / "new")
    train(
        [tmp_path / "new"], tmp_path / "b", start=moved, replay=[tmp_path / "old"], steps=1, threads=1,
        settings=["head_steps=1", "sight_steps=1"],
    )  # fmt: skip
    assert "50% of each batch from 160 old ones" in " ".join(capsys.readouterr().err.split())


def test_remember_keeps_the_places_of_a_recording(runs: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "empty.memory"
    remember(model, out, [runs], minutes=0)
    loaded = load_model(model)
    store = Store(out, loaded.encoder_id, loaded.model.spec.latent_dim, read_only=True)
    places, _ = store.load()
    assert places and store.thumbnail(places[0].id)[:2] == b"\xff\xd8"
    store.close()
    with pytest.raises(AmiError, match="exists already"):
        remember(model, out, [runs])


def test_a_robot_without_a_camera_learns_from_scans_alone(tmp_path: Path) -> None:
    runs, config = tmp_path / "runs", CollectionConfig(world="empty", steps=80, runs=1, robot="ami_bot_laser")
    with open_collection(runs, config) as missing:
        for run in missing:
            record_run(runs, config, run, lambda: None)
    few = ["head_steps=2", "batch=4"]
    with pytest.raises(AmiError, match="has no pictures"):
        train([runs], tmp_path / "seeing", steps=2, settings=few, threads=1)
    train([runs], tmp_path / "own", robot="ami_bot_laser", steps=2, settings=few, threads=1)
    train([runs], tmp_path / "more", start=share("models", "laser"), steps=2, settings=few, threads=1)
    for name in ("own", "more"):
        spec = load_model(tmp_path / name).model.spec
        assert not spec.inputs.image_size and spec.inputs.scan_beams == 72
        data = Dataset(tmp_path / name / "dataset")
        assert len(data) > 40 and data.scan.shape[1] == 72 and np.isfinite(data.odometry).all()
    memory = tmp_path / "empty.memory"
    remember(tmp_path / "own", memory, [runs], minutes=0)
    own = load_model(tmp_path / "own")
    store = Store(memory, own.encoder_id, own.model.spec.latent_dim, read_only=True)
    places, _ = store.load()
    assert places and store.thumbnail(places[0].id) == b""
    store.close()


def test_evaluate_writes_what_it_prints(runs: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    evaluate(model, [runs], card=True, seed=3, json=out)
    figures = json.loads(out.read_text())
    assert figures["seed"] == 3 and figures["encoder_id"] == load_model(model).encoder_id and figures["processor"]
    assert figures["relative_position_median_m"] > 0
    card = (model / "card.md").read_text("utf-8")
    assert card.startswith("# small") and card.count("## Measured") == 1 and "| latent_rank | " in card
    write_measurements(model, "something else", {"latent_rank": 2.0})
    again = (model / "card.md").read_text("utf-8")
    assert again.partition("## Measured")[0] == card.partition("## Measured")[0]
    assert again.count("## Measured") == 1 and "something else" in again


def of_the_future(model: Path) -> None:
    config = model / "config.yaml"
    config.write_text(config.read_text().replace("format: 2", "format: 99"))


def with_other_weights(model: Path) -> None:
    """As a version would write them that has renamed a tensor."""
    weights, config = model / "weights.safetensors", model / "config.yaml"
    before = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.write_bytes(weights.read_bytes().replace(b"predictor.leave.bias", b"predictor.leave.more"))
    config.write_text(config.read_text().replace(before, hashlib.sha256(weights.read_bytes()).hexdigest()))


@pytest.mark.parametrize(("change", "message"), [(of_the_future, "format 99"), (with_other_weights, "another version")])
def test_a_model_of_another_version_is_refused_by_every_command_and_nothing_is_written(
    change: Callable[[Path], None], message: str, runs: Path, model: Path, tmp_path: Path
) -> None:
    other, out = tmp_path / "other", tmp_path / "out"
    shutil.copytree(model, other)
    change(other)
    calls: list[Callable[[], object]] = [
        lambda: evaluate(other, [runs]),
        lambda: train([runs], out, start=other, steps=1, threads=1),
        lambda: train([runs], out, start=other, heads=True, threads=1),
        lambda: remember(other, out, [runs]),
    ]
    for call in calls:
        with pytest.raises(AmiError, match=message) as raised:
            call()
        assert "\n" not in str(raised.value) and str(other) in str(raised.value) and not out.exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, t: train([t / "nothing"], t / "out"), "is no bag and holds none"),
        (lambda m, t: train([t], t / "out", preset="wheels"), "no preset 'wheels'"),
        (lambda m, t: train([t], t / "out", heads=True), "--heads needs the model that gets them"),
        (lambda m, t: train([t], t / "out", dynamics=True), "--dynamics needs the model that learns further"),
        (lambda m, t: train([t], t / "out", replay=[t]), "--replay goes with --from"),
        (lambda m, t: train([t], t / "out", start=m, preset="laser"), "other inputs than preset laser"),
        (lambda m, t: evaluate(t / "nothing", [t]), "config.yaml is missing"),
    ],
)
def test_a_wrong_call_is_one_line(call, message: str, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AmiError, match=message) as raised:
        call(model, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_phase_after_the_steps_has_a_bar_and_a_time_left_of_its_own() -> None:
    trainer: Any = SimpleNamespace(config=SimpleNamespace(steps=3), step=0)
    console = Console(file=io.StringIO(), width=80)
    bar = progress_bar(console)
    log = TrainingLog(trainer, bar, console)
    log.report(3, {"total": 1.0})
    assert (bar.tasks[0].completed, bar.tasks[0].total) == (3, 3)
    log.report(3, {"sight": 2.0, "phase": 0.09})
    assert (bar.tasks[0].completed, bar.tasks[0].total) == (9, 100)
    log.report(3, {"heads": float("nan"), "phase": 0.5})
    assert (bar.tasks[0].completed, bar.tasks[0].description) == (50, "then  heads")
