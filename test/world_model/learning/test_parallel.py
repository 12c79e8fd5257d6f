"""Several processes that train together end where one would."""

from __future__ import annotations

import json
import signal
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from ami_ros.core.config import to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.objective import LossWeights
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import ModelSpec
from harness.processes import ChildProcess, Children

# Trains from a data set (argument 1) into a folder (2) by a configuration (3); waits for ever behind a step (4).
TRAIN = """
import sys, time
from pathlib import Path
import torch, yaml
from ami_ros.core.config import from_mapping
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.objective import LossWeights
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig
torch.set_num_threads(1)
config = from_mapping(TrainingConfig, yaml.safe_load(sys.argv[3]))
def report(step, terms):
    if step == int(sys.argv[4]):
        print("waiting", flush=True)
        time.sleep(600)
with parallel.processes():
    trainer = Trainer(config, Dataset(Path(sys.argv[1])), Path(sys.argv[2]))
    trainer.resume()
    trainer.run(report)
    print(f"process {parallel.rank()} of {parallel.count()} is done", flush=True)
"""


@pytest.fixture
def config(spec: ModelSpec) -> TrainingConfig:
    windows, weights = WindowConfig(starts=3), LossWeights(vicreg=0.1)
    return TrainingConfig(
        steps=8, batch=8, warm_up=2, checkpoint_every=4, learning_rate=3e-3, spec=spec, windows=windows, weights=weights
    )


def start(
    children: Children, config: TrainingConfig, dataset: Dataset, folder: Path, count: int = 2, wait_at: int = -1
) -> list[ChildProcess]:
    """Processes as torchrun would start them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["-c", TRAIN, str(dataset.folder), str(folder), yaml.safe_dump(to_mapping(config)), str(wait_at)]
    group = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [children.python(*arguments, environment=group | {"RANK": str(rank)}) for rank in range(count)]


def end(processes: list[ChildProcess]) -> None:
    for process in processes:
        assert process.wait(120) == 0, process.output()


def assert_same(config: TrainingConfig, dataset: Dataset, folder: Path, other: Path) -> None:
    """Two trainings lost as much on the way, and their models make the same of a recording.

    Weights are not compared: the bias before BatchNorm has no effect and no gradient but rounding errors, which Adam
    scales up.
    """
    curves = [[json.loads(line) for line in (f / "curve.jsonl").read_text().splitlines()] for f in (folder, other)]
    assert [row["step"] for row in curves[0]] == [4, 8]
    for row, same in zip(*curves, strict=True):
        assert same == pytest.approx(row, rel=2e-3)
    first, second = (outputs(config, dataset, f) for f in (folder, other))
    for a, b in zip(first, second, strict=True):
        assert (a - b).abs().max() < 0.05 * a.std()  # that bias moves the running means, too


def outputs(config: TrainingConfig, dataset: Dataset, folder: Path) -> list[torch.Tensor]:
    """Latents, predictions, motions, relative poses and goals of the model in a checkpoint."""
    trainer = Trainer(config, dataset, folder)
    assert trainer.resume()
    model = trainer.model.eval()
    sensors = trainer.sampler.sensors(np.arange(0, len(dataset), 10))
    assert sensors.image is not None
    commands = torch.linspace(-0.5, 0.5, model.spec.chunk * 2).view(1, model.spec.chunk, 2)
    with torch.inference_mode():
        latents = model.encode(sensors)
        steps = model.step(latents, commands.expand(len(latents), -1, -1), commands[:, 0].expand(len(latents), -1))
        return [latents, *steps, model.relative_pose(latents, latents.roll(1, 0)), model.encode_goal(sensors.image)]


def test_two_processes_that_were_killed_and_went_on_make_the_model_that_one_makes(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path, children: Children
) -> None:
    Trainer(config, dataset, tmp_path / "one").run(lambda step, terms: None)
    killed = start(children, config, dataset, tmp_path / "two", wait_at=5)
    for process in killed:
        process.wait_for_output("waiting", 120)
        process.send(signal.SIGKILL)
    for process in killed:
        process.wait(10)
    end(start(children, config, dataset, tmp_path / "two"))
    assert_same(config, dataset, tmp_path / "one", tmp_path / "two")


def test_the_shares_of_a_batch_are_the_batch(dataset: Dataset, spec: ModelSpec) -> None:
    sampler = WindowSampler(dataset, spec, WindowConfig(starts=3))
    whole = sampler.batch(np.random.default_rng(4), 6)
    shares = [sampler.batch(np.random.default_rng(4), 6, slice(rank, None, 3)) for rank in range(3)]
    for rank, share in enumerate(shares):
        torch.testing.assert_close(share.commands, whole.commands[:, rank::3])
        torch.testing.assert_close(share.pairs, whole.pairs[:, rank::3])
        torch.testing.assert_close(share.poses, whole.poses[:, rank::3])
        assert share.sensors.image is not None and whole.sensors.image is not None
        images = whole.sensors.image.view(5, 6, *whole.sensors.image.shape[1:])
        torch.testing.assert_close(share.sensors.image, images[:, rank::3].flatten(0, 1))


def test_a_process_alone_is_the_first_and_shares_nothing() -> None:
    value = torch.randn(3, 2)
    assert parallel.count() == 1 and parallel.rank() == 0 and parallel.from_first(b"state") == b"state"
    assert parallel.average(value) is value and parallel.gather(value) is value
    norm = nn.Sequential(nn.BatchNorm1d(2))
    parallel.share_statistics(norm)
    assert type(norm[0]) is nn.BatchNorm1d


def test_processes_that_do_not_find_each_other_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AmiError, match=r"do not find each other.*torchrun") as refused, parallel.processes():
        pass
    assert "\n" not in str(refused.value)


def test_a_batch_that_cannot_be_shared_is_one_line(
    config: TrainingConfig, dataset: Dataset, tmp_path: Path, children: Children
) -> None:
    processes = start(children, replace(config, batch=7), dataset, tmp_path)
    for process in processes:
        assert process.wait(120) != 0
        assert "a batch of 7 windows cannot be shared by 2 processes" in process.output()
