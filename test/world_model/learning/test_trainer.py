"""Training: it can be stopped and resumed without a trace, says what is wrong, and learns."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from ami_ros.core.config import from_mapping, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import Diagnosis
from ami_ros.world_model.learning.objective import LossWeights
from ami_ros.world_model.learning.trainer import PRESETS, Prefetcher, Trainer, TrainingConfig
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import WorldModel
from harness.processes import Children
from harness.training import Killed, Shortened, assert_equal


@pytest.fixture
def config(spec: ModelSpec) -> TrainingConfig:
    return TrainingConfig(
        steps=6, batch=4, warm_up=2, checkpoint_every=2, spec=spec, windows=WindowConfig(starts=3), seed=3
    )


def train(config: TrainingConfig, dataset: Dataset, folder: Path, kill_after: int | None = None) -> WorldModel:
    trainer = Trainer(config, dataset, folder)
    trainer.resume()

    def report(step: int, terms: dict[str, float]) -> None:
        if step == kill_after:
            raise Killed

    return trainer.run(report)


@pytest.mark.parametrize("phase", ["sight", "ensemble"])
def test_ctrl_c_in_a_last_phase_keeps_what_it_has(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path, phase: str
) -> None:
    spec = replace(config.spec, sight_code=8, ensemble=2)
    config = replace(config, steps=2, sight_steps=4, head_steps=4, spec=spec)
    whole = train(config, dataset, tmp_path / "whole")
    seen: list[str] = []

    def report(step: int, terms: dict[str, float]) -> None:
        seen.append(next(iter(terms)))
        if seen.count(phase) == 2 and seen[-1] == phase:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Trainer(config, dataset, tmp_path / "stopped").run(report)
    again = Trainer(config, dataset, tmp_path / "stopped")
    assert again.resume() and again.step == 2
    seen.clear()
    assert_equal(again.run(lambda step, terms: seen.append(next(iter(terms)))), whole)
    assert seen.count(phase) == 2 and (phase == "sight" or "sight" not in seen), "nothing is learned twice"
    again.forget()
    assert not list((tmp_path / "stopped").glob("training*"))


@pytest.mark.parametrize("kill_after", [1, 3, 4])
def test_a_run_that_was_killed_and_resumed_ends_as_one_that_was_not(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path, kill_after: int
) -> None:
    whole = train(config, dataset, tmp_path / "whole")
    with pytest.raises(Killed):
        train(config, dataset, tmp_path / "killed", kill_after)
    assert_equal(train(config, dataset, tmp_path / "killed"), whole)


def test_ctrl_c_keeps_the_steps_since_the_last_checkpoint(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path
) -> None:
    config = replace(config, checkpoint_every=100)
    whole = train(config, dataset, tmp_path / "whole")
    trainer = Trainer(config, dataset, tmp_path / "stopped")

    def report(step: int, terms: dict[str, float]) -> None:
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trainer.run(report)
    assert trainer.step == 3 and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = Trainer(config, dataset, tmp_path / "stopped")
    assert again.resume() and again.step == 3
    assert_equal(again.run(lambda step, terms: None), whole)


def test_labels_that_change_on_the_way_change_at_the_same_step_after_a_kill(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path
) -> None:
    changing = replace(config, gains_every=3)
    whole = train(changing, dataset, tmp_path / "whole")
    with pytest.raises(Killed):
        train(changing, dataset, tmp_path / "killed", 5)
    assert_equal(train(changing, dataset, tmp_path / "killed"), whole)


def test_one_seed_gives_one_model_and_another_seed_another(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path
) -> None:
    short = replace(config, steps=2)
    first, second = (train(short, dataset, tmp_path / name) for name in "ab")
    assert_equal(first, second)
    other = train(replace(short, seed=4), dataset, tmp_path / "c")
    name = "relative_pose.layers.0.weight"
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_every_step_is_reported_and_the_curve_is_kept(config: TrainingConfig, dataset: Dataset, tmp_path: Path) -> None:
    reports: dict[int, dict[str, float]] = {}
    trainer = Trainer(config, dataset, tmp_path)
    assert not trainer.resume()
    watched: dict[int, Diagnosis] = {}
    model = trainer.run(reports.__setitem__, watched.__setitem__)
    assert list(reports) == [1, 2, 3, 4, 5, 6] and not model.training
    for terms in reports.values():
        assert terms["total"] == pytest.approx(sum(v for n, v in terms.items() if n != "total"), rel=1e-4)
    curve = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [line["step"] for line in curve] == [2, 4, 6] == list(watched) and curve[1]["total"] == reports[4]["total"]
    assert curve[2]["latent_rank"] == watched[6].latent_rank


# Waits for ever behind a checkpoint, so that the kill comes while there is something to lose.
TRAIN_AND_WAIT = """
import sys, time
from pathlib import Path
import torch
from ami_ros.core.config import from_mapping
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig
import yaml
torch.set_num_threads(1)
config = from_mapping(TrainingConfig, yaml.safe_load(sys.argv[3]))
def report(step, terms):
    if step == 5:
        print("waiting", flush=True)
        time.sleep(600)
Trainer(config, Dataset(Path(sys.argv[1])), Path(sys.argv[2])).run(report)
"""


def test_a_process_that_was_killed_leaves_the_same_curve_as_one_that_was_not(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path, children: Children
) -> None:
    torch.set_num_threads(1)
    text = yaml.safe_dump(to_mapping(config))
    child = children.python("-c", TRAIN_AND_WAIT, str(dataset.folder), str(tmp_path / "killed"), text)
    child.wait_for_output("waiting", 60)
    child.send(signal.SIGKILL)
    child.wait(10)
    whole = train(config, dataset, tmp_path / "whole")
    assert_equal(train(config, dataset, tmp_path / "killed"), whole)
    first, second = ((tmp_path / name / "curve.jsonl").read_text() for name in ("whole", "killed"))
    assert first == second and first.count("\n") == 3


def test_a_finished_run_has_nothing_left_to_do(config: TrainingConfig, dataset: Dataset, tmp_path: Path) -> None:
    model = train(config, dataset, tmp_path)
    trainer = Trainer(config, dataset, tmp_path)
    assert trainer.resume() and trainer.step == config.steps
    assert_equal(trainer.run(lambda step, terms: pytest.fail("trained on")), model)


def test_a_checkpoint_of_another_model_is_refused(config: TrainingConfig, dataset: Dataset, tmp_path: Path) -> None:
    train(replace(config, steps=2), dataset, tmp_path)
    other = replace(config, spec=replace(config.spec, latent_dim=8))
    with pytest.raises(AmiError, match=r"training\.safetensors is of another model") as refused:
        Trainer(other, dataset, tmp_path).resume()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", [0, 100, -100])
def test_a_damaged_checkpoint_is_refused(config: TrainingConfig, dataset: Dataset, tmp_path: Path, size: int) -> None:
    train(replace(config, steps=2), dataset, tmp_path)
    checkpoint = tmp_path / "training.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:size])
    with pytest.raises(AmiError, match=r"training\.safetensors .*delete it") as refused:
        Trainer(config, dataset, tmp_path).resume()
    assert "\n" not in str(refused.value)


def test_a_recording_without_a_long_enough_episode_is_refused(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path
) -> None:
    long = replace(config, windows=WindowConfig(starts=100))
    with pytest.raises(AmiError, match=r"no episode lasts 59\.6 s"):
        Trainer(long, dataset, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(config: TrainingConfig, dataset: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(config, dataset, tmp_path)
    next(trainer.model.relative_pose.parameters()).data.fill_(torch.nan)
    with pytest.raises(AmiError, match="not finite at step 0"):
        trainer.run(lambda step, terms: None)


def test_half_precision_trains_too(config: TrainingConfig, dataset: Dataset, tmp_path: Path) -> None:
    model = train(replace(config, steps=2, bfloat16=True), dataset, tmp_path)
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in model.parameters())


class Learned:
    """A model after a minute of a toddler's life, and what it makes of a run that it has not seen."""

    def __init__(self, model: WorldModel, dataset: Dataset) -> None:
        self.model, self.dataset = model, dataset
        start, stop = dataset.episodes[-1]
        self.rows = np.arange(start, stop - model.spec.chunk)
        sampler = WindowSampler(dataset, model.spec, WindowConfig())
        with torch.inference_mode():
            self.latents = model.encode(sampler.sensors(np.arange(start, stop)))


@pytest.fixture(scope="module")
def learned(dataset: Dataset, spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    config = TrainingConfig(
        steps=400,
        batch=16,
        warm_up=10,
        learning_rate=5e-3,
        spec=spec,
        windows=WindowConfig(starts=4, pairs=12),
        weights=LossWeights(vicreg=2.0, relative_pose=2.0),
    )
    recording = Shortened(dataset)
    return Learned(Trainer(config, recording, tmp_path_factory.mktemp("run")).run(lambda step, terms: None), dataset)


def test_prediction_beats_persistence_and_needs_the_commands(learned: Learned) -> None:
    chunk, rows = learned.model.spec.chunk, np.arange(len(learned.rows))
    commands = torch.from_numpy(learned.dataset.command[learned.rows[:, None] + np.arange(chunk)])
    previous = torch.from_numpy(learned.dataset.command[np.maximum(learned.rows - 1, learned.rows[0])])
    before, after = learned.latents[rows], learned.latents[rows + chunk]
    with torch.inference_mode():
        predicted, motion = learned.model.step(before, commands, previous)
        shuffled, _ = learned.model.step(before, commands.flip(0), previous.flip(0))
    error, persistence = (predicted - after).square().mean(), (before - after).square().mean()
    assert error < 0.75 * persistence  # 0.4 to 0.6, by how a processor rounds in 400 steps
    assert error < 0.7 * (shuffled - after).square().mean()
    moved = relative(learned.dataset.odometry[learned.rows], learned.dataset.odometry[learned.rows + chunk])
    assert np.abs(motion.numpy() - moved).mean() < 0.5 * np.abs(moved - moved.mean(0)).mean()


def test_the_relative_pose_head_beats_a_constant(learned: Learned) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, len(learned.latents) - 20, 300)
    second = first + rng.integers(1, 20, 300)
    with torch.inference_mode():
        seen = learned.model.relative_pose(learned.latents[first], learned.latents[second]).numpy()
    odometry = learned.dataset.odometry[learned.rows[0] :]
    truth = relative(odometry[first], odometry[second])
    assert np.abs(seen[:, :2] - truth[:, :2]).mean() < 0.95 * np.abs(truth[:, :2] - truth[:, :2].mean(0)).mean()
    heading = np.cos(np.arctan2(seen[:, 3], seen[:, 2]) - truth[:, 2])
    # The best constant turn agrees with the truth as much as the truth agrees with itself.
    assert heading.mean() > 1.05 * np.hypot(np.cos(truth[:, 2]).mean(), np.sin(truth[:, 2]).mean())


def test_a_picture_alone_finds_the_latent_that_all_sensors_give(learned: Learned) -> None:
    images = learned.dataset.images(learned.rows[:50], 16)
    with torch.inference_mode():
        goals = learned.model.encode_goal(torch.from_numpy(images).permute(0, 3, 1, 2))
    error = (goals - learned.latents[:50]).square().mean()
    assert error < 0.5 * learned.latents[:50].var()


def test_training_can_begin_with_the_weights_of_a_model(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path
) -> None:
    start = train(config, dataset, tmp_path / "start")
    assert_equal(Trainer(config, dataset, tmp_path / "more", start).model, start)
    other = replace(config, spec=replace(config.spec, head_width=32))
    with pytest.raises(AmiError, match="has another spec"):
        Trainer(other, dataset, tmp_path / "other", start)


def test_a_model_that_compares_no_pictures_learns_it_and_keeps_it(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path
) -> None:
    start = train(config, dataset, tmp_path / "start")
    comparing = replace(config, spec=replace(config.spec, sight_code=8), steps=0, sight_steps=2)
    more = Trainer(comparing, dataset, tmp_path / "more", start).run(lambda step, terms: None)
    same = {name: value for name, value in more.state_dict().items() if name in start.state_dict()}
    assert all(value.equal(start.state_dict()[name]) for name, value in same.items())
    assert_equal(Trainer(replace(comparing, sight_steps=0), dataset, tmp_path / "kept", more).model, more)
    with pytest.raises(AmiError, match="has another spec"):
        Trainer(replace(comparing, sight_steps=0), dataset, tmp_path / "none", start)


# Batches are made while the model computes, in order, and what goes wrong is not lost.


def test_the_next_value_is_made_while_this_one_is_used() -> None:
    begun = [threading.Event() for _ in range(4)]

    def make(number: int) -> int:
        begun[number].set()
        return 10 * number

    ahead = Prefetcher(make, 3)
    assert ahead.take(0) == 0
    assert begun[1].wait(10) and ahead.take(1) == 10 and ahead.take(2) == 20
    ahead.close()
    assert not begun[3].is_set() and ahead.waited >= 0


def test_what_was_made_before_a_change_can_be_forgotten() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return len(made)

    ahead = Prefetcher(make, 10)
    assert ahead.take(0) == 1
    ahead.forget()
    assert made == [0, 1] and ahead.take(1) == 3
    ahead.close()


def test_any_number_can_be_the_first() -> None:
    ahead = Prefetcher(lambda number: number, 100)
    assert [ahead.take(n) for n in (7, 8, 30, 31)] == [7, 8, 30, 31]
    ahead.close()


def test_an_error_comes_out_where_its_value_is_taken() -> None:
    def make(number: int) -> int:
        if number == 1:
            raise OSError("the disk is gone")
        return number

    ahead = Prefetcher(make, 5)
    assert ahead.take(0) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        ahead.take(1)
    ahead.close()


def test_waiting_is_counted() -> None:
    ready = threading.Event()
    ahead = Prefetcher(lambda number: ready.wait(0.2), 1)
    ahead.take(0)
    ahead.close()
    assert ahead.waited > 0.1


# Presets are whole: each is a model that can be built, saved, and described in a file.


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_builds_and_can_be_written_down(name: str) -> None:
    config = PRESETS[name]
    assert from_mapping(TrainingConfig, to_mapping(config)) == config
    assert (WorldModel(config.spec).goal_head is not None) == (name != "laser")  # goals are pictures


def test_the_presets_are_for_what_robots_have_to_see_by() -> None:
    onboard, laser = (PRESETS[name].spec.inputs for name in ("onboard", "laser"))
    assert onboard.scan_beams and onboard.image_size
    assert laser.scan_beams and not laser.image_size
