"""What was adapted: apart from the model, bound to it, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.core.errors import AmiError
from ami_ros.world_model.adaptation import (
    Journal,
    Segment,
    SegmentStore,
    Step,
    adaptable,
    apply,
    load_weights,
    pack,
    save_weights,
    unpack,
)
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel

OWNER = "small@0123456789ab"


def test_colours_that_leave_nothing_to_see_are_refused() -> None:
    seeing = WorldModel(ModelSpec(InputSpec(image_size=16, scan_beams=0), latent_dim=4, encoder_width=16))
    own = seeing.private_copy()
    undone = np.array([[1.5, 0.1], [1.0, 0.0], [0.7, -0.1]], np.float32)
    apply({"colours": undone}, own, seeing)
    assert np.array_equal(own.colours, undone) and not np.array_equal(seeing.colours, undone)
    with pytest.raises(AmiError, match="could not see"):
        apply({"colours": 0.01 * undone}, own, seeing)
    assert np.array_equal(own.colours, undone)


def test_private_copy_has_a_drive_of_its_own_and_shares_the_rest(model: WorldModel) -> None:
    own = model.private_copy()
    for name, values in adaptable(own).items():
        assert np.array_equal(values, adaptable(model)[name]) and not np.shares_memory(values, adaptable(model)[name])
    assert own.encoder is model.encoder and own.predictor is model.predictor
    apply({"drive": 0.5 * np.eye(2)}, own, model)
    assert torch.equal(model.drive, torch.eye(2)) and not torch.equal(own.drive, model.drive)


def test_drive_acts_on_steps_and_rollouts_alike(model: WorldModel) -> None:
    own = model.private_copy()
    apply({"drive": np.array([[0.5, 0.0], [0.0, 2.0]])}, own, model)
    latent, commands, previous = torch.randn(3, 8), torch.rand(3, 1, 2, 2), torch.rand(3, 2)
    as_driven = torch.tensor([0.5, 2.0])
    wanted = model.step(latent, commands[:, 0] * as_driven, previous * as_driven)
    assert all(map(torch.allclose, own.step(latent, commands[:, 0], previous), wanted))
    latents, motions = own.rollout(latent, commands, previous)
    assert torch.allclose(latents[:, 0], wanted[0], atol=1e-5) and torch.allclose(motions[:, 0], wanted[1], atol=1e-5)


def test_what_is_left_out_is_as_trained(model: WorldModel) -> None:
    own = model.private_copy()
    apply({name: values + 1 for name, values in adaptable(model).items()}, own, model)
    apply({}, own, model)
    assert all(np.array_equal(values, adaptable(model)[name]) for name, values in adaptable(own).items())


def test_file_gives_back_what_was_kept(model: WorldModel, tmp_path: Path) -> None:
    file = tmp_path / "new" / "robot.adapted"
    save_weights(file, adaptable(model), OWNER)
    loaded = load_weights(file, OWNER)
    assert loaded.keys() == adaptable(model).keys()
    assert all(np.array_equal(loaded[name], values) for name, values in adaptable(model).items())
    assert [f.name for f in file.parent.iterdir()] == [file.name]


def test_weights_of_another_model_are_refused(model: WorldModel) -> None:
    with pytest.raises(AmiError, match="belongs to the model small@0123456789ab, not to other@"):
        unpack(pack(adaptable(model), OWNER), "other@ba9876543210", "x")


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\xff" * 64])
def test_damaged_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "robot.adapted"
    file.write_bytes(damage)
    with pytest.raises(AmiError, match=r"robot\.adapted is damaged"):
        load_weights(file, OWNER)


@pytest.mark.parametrize("weights", [{"encoder": np.eye(2)}, {"drive": np.eye(3)}, {"drive": np.full((2, 2), np.nan)}])
def test_weights_that_do_not_fit_change_nothing(model: WorldModel, weights: dict[str, np.ndarray]) -> None:
    own = model.private_copy()
    with pytest.raises(AmiError, match="does not fit the model"):
        apply(weights, own, model)
    assert torch.equal(own.drive, torch.eye(2))


def test_drive_that_cannot_be_steered_by_is_refused(model: WorldModel) -> None:
    with pytest.raises(AmiError, match="could not be steered"):
        apply({"drive": np.array([[0.0, 0.0], [0.0, 1.0]])}, model.private_copy(), model)


def test_file_that_cannot_be_written_is_an_error_in_one_line(model: WorldModel, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AmiError, match="cannot write"):
        save_weights(tmp_path / "file" / "robot.adapted", adaptable(model), OWNER)


# Segments: the newest are kept.


def numbered(number: int) -> Segment:
    return Segment(number, np.zeros(2, np.float32), np.zeros(2), np.zeros((1, 2)), np.zeros(2, np.float32), np.zeros(3))


def test_store_keeps_the_newest() -> None:
    store = SegmentStore(3, np.random.default_rng(0))
    for number in range(10):
        store.add(numbered(number))
    assert len(store) == 3 and store.all().before.shape == (3, 2) and store.draw(5).motion.shape == (5, 3)
    assert sorted(segment.stamp for segment in store._rows) == [7, 8, 9]


# The journal: a line for each step, added to what is there.


STEP = Step(12.5, 3, "drive", False, "no better", 0.1, 0.2)


def test_every_step_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "journal.jsonl"
    colours = [[1.0, 0.0]] * 3
    Journal(file).write(STEP, False, [[1.0, 0.0], [0.0, 1.0]], colours)
    Journal(file).write(STEP, True, [[0.8, 0.1], [0.4, 0.80001]], colours)
    first, second = map(json.loads, file.read_text().splitlines())
    assert first["number"] == 3 and first["kept"] is False and first["reason"] == "no better"
    assert second["in_use"] and second["drive"] == [[0.8, 0.1], [0.4, 0.8]]
    assert second["colours"] == colours


def test_journal_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="cannot write"):
        Journal(tmp_path)
