"""What commands do, learned further: predictions get better, nothing else changes, and units change no prediction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.objective import dynamics_losses
from ami_ros.world_model.learning.phases import encode_all, in_units_of, with_wider_limits
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig, only_dynamics
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import DYNAMICS, WorldModel, load_model, save_model
from harness.training import Killed, assert_equal

WINDOWS = WindowConfig(starts=4, pairs=12)


@pytest.fixture(scope="module")
def full(spec: ModelSpec) -> ModelSpec:
    return replace(spec, ensemble=2, ensemble_width=16)


def begun(spec: ModelSpec) -> WorldModel:
    """A model that predicts something, without having learned it."""
    torch.manual_seed(5)
    model = WorldModel(spec).eval()
    torch.nn.init.normal_(model.predictor.leave.weight, std=0.1)
    return model


def error(model: WorldModel, sampler: WindowSampler) -> float:
    """Of the dynamics, on the same windows each time."""
    latents = encode_all(model, sampler, lambda share: None)
    frames, windows = sampler.driven(np.random.default_rng(1), 64)
    with torch.inference_mode():
        terms = dynamics_losses(model, windows, latents[torch.from_numpy(frames)])
    return float(terms["prediction"] + terms["motion"])


def trainer(dataset: Dataset, start: WorldModel, folder: Path, steps: int) -> Trainer:
    wanted = TrainingConfig(learning_rate=5e-3, head_steps=2, windows=WINDOWS, spec=start.spec)
    config = replace(only_dynamics(wanted, start.spec, steps), batch=32)
    return Trainer(config, dataset, folder, start)


def test_what_commands_do_is_learned_and_every_other_weight_stays(
    dataset: Dataset, full: ModelSpec, tmp_path: Path
) -> None:
    start = begun(full)
    learning = trainer(dataset, start, tmp_path, 60)
    model = learning.run(lambda step, terms: None)
    assert error(model, learning.sampler) < 0.8 * error(start, learning.sampler)
    before = start.state_dict()
    changed = {name.partition(".")[0] for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed == {"predictor", "motion", "heads"}
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_a_run_that_was_killed_while_it_learned_what_commands_do_ends_as_one_that_was_not(
    dataset: Dataset, full: ModelSpec, tmp_path: Path
) -> None:
    start = begun(full)

    def train(name: str, kill: bool = False) -> WorldModel:
        def report(step: int, terms: dict[str, float]) -> None:
            if kill and "ensemble" in terms:
                raise Killed

        return trainer(dataset, start, tmp_path / name, 3).run(report)

    whole = train("whole")
    with pytest.raises(Killed):
        train("killed", kill=True)
    assert_equal(train("killed"), whole)


def test_a_model_in_the_units_of_a_faster_robot_predicts_as_before(full: ModelSpec) -> None:
    model = begun(full)
    wider = in_units_of(model, with_wider_limits(full, {"max_linear": 1.1, "max_angular": 1.0}))
    assert wider.spec.max_linear == 1.1 and wider.spec.max_angular == full.max_angular
    draw = torch.Generator().manual_seed(0)
    latent = torch.randn(8, full.latent_dim, generator=draw)
    commands = torch.rand(8, 3, full.chunk, 2, generator=draw) - 0.3
    previous = torch.rand(8, 2, generator=draw)
    with torch.inference_mode():
        given = latent, commands, previous
        torch.testing.assert_close(wider.rollout(*given), model.rollout(*given), atol=1e-5, rtol=1e-5)
        chunk = commands[:, 0]
        torch.testing.assert_close(
            wider.disagreement(latent, chunk, previous), model.disagreement(latent, chunk, previous)
        )
        pairs = torch.cat([latent, latent.flip(0)], 1)
        own = wider.inverse_dynamics(pairs) * wider.command_scale.repeat(full.chunk)
        torch.testing.assert_close(own, model.inverse_dynamics(pairs) * model.command_scale.repeat(full.chunk))


def test_memories_stay_valid_where_commands_alone_were_learned_and_only_there(full: ModelSpec, tmp_path: Path) -> None:
    start = save_model(tmp_path / "start", "m", begun(full))
    with torch.no_grad():
        learned = begun(full)
        learned.predictor.leave.weight += 1.0
        assert save_model(tmp_path / "learned", "m", learned, start).encoder_id == start.encoder_id
        assert load_model(tmp_path / "learned").encoder_id == start.encoder_id
        next(learned.relative_pose.parameters()).add_(1.0)
        assert save_model(tmp_path / "other", "m", learned, start).encoder_id != start.encoder_id
    names = {name.partition(".")[0] + "." for name in start.model.state_dict()}
    assert set(DYNAMICS) < names
