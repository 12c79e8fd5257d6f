"""The recordings of a fleet, streamed from its data set: the same rows, and the same model as from a disk."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from ami_ros.core.config import to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.memory.fleet.dataset import FRAMES, PLACES
from ami_ros.memory.fleet.recordings import FleetDataset, export_recordings, is_dataset, open_data
from ami_ros.world_model.learning.objective import LossWeights
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig
from ami_ros.world_model.learning.windows import WindowConfig
from harness.fleet import TINY, FleetData, changed
from harness.processes import Children
from harness.training import assert_equal

pytest.importorskip("lance", reason="the extra lance is not installed")

CONFIG = TrainingConfig(
    steps=2, batch=4, warm_up=2, checkpoint_every=2, gains_every=2, spec=TINY, windows=WindowConfig(starts=3),
    weights=LossWeights(vicreg=0.1),
)  # fmt: skip

# Trains from the folder of a fleet (argument 1) into a folder (2) by a configuration (3); prints the version that it
# read, and how many pictures it fetched for each batch.
TRAIN = """
import json, sys
from dataclasses import replace
from pathlib import Path
import torch, yaml
from rich.console import Console
from ami_ros.cli.train import open_datasets
from ami_ros.core.config import from_mapping
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig
torch.set_num_threads(1)
config, out = from_mapping(TrainingConfig, yaml.safe_load(sys.argv[3])), Path(sys.argv[2])
out.mkdir(exist_ok=True)
with parallel.processes():
    data, = open_datasets([Path(sys.argv[1])], out, config.spec, Console(quiet=True))
    fetched, jpegs = [], data.jpegs
    data.jpegs = lambda rows: fetched.append(len(rows)) or jpegs(rows)
    Trainer(config, data, out, budget=0.0).run(lambda step, terms: None)
    print(json.dumps([data.version, fetched]), flush=True)
"""


@pytest.fixture(scope="module")
def folder(fleet_data: FleetData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a fleet, with the recordings of one robot; read only."""
    folder: Path = tmp_path_factory.mktemp("site")
    export_recordings(fleet_data.both, folder, "ada", fleet_data.model)
    return folder


def test_rows_are_those_of_the_data_set_that_was_exported(fleet_data: FleetData, folder: Path) -> None:
    disk, fleet = fleet_data.both, open_data(folder)
    assert len(fleet) == len(disk) and fleet.episodes == disk.episodes and fleet.recordings == disk.recordings
    assert fleet.period == disk.period and fleet.scanner == disk.scanner
    rows = np.array([[399, 0], [201, 201]])
    for name in ("stamp", "scan", "odometry", "command", "velocity", "truth", "episode"):
        stored, other = np.asarray(getattr(disk, name)), getattr(fleet, name)
        np.testing.assert_array_equal(stored, np.asarray(other))
        np.testing.assert_array_equal(stored[rows], other[rows])
        assert stored.dtype == np.asarray(other).dtype and stored.shape == other.shape
    assert fleet.jpeg(7) == disk.jpeg(7)
    np.testing.assert_array_equal(fleet.images(rows[0], 16), disk.images(rows[0], 16))


def test_the_model_is_the_one_that_the_data_set_on_disk_gives(
    fleet_data: FleetData, folder: Path, tmp_path: Path
) -> None:
    models, losses = [], []
    for name, data, budget in (("disk", fleet_data.both, None), ("fleet", FleetDataset(folder), 0.0)):
        lost: list[float] = []
        trainer = Trainer(replace(CONFIG, gains_every=0), data, tmp_path / name, budget=budget)
        models.append(trainer.run(lambda step, terms, lost=lost: lost.append(terms["total"])))  # type: ignore[misc]
        losses.append(lost)
    assert losses[0] == losses[1] and len(losses[0]) == CONFIG.steps
    assert_equal(*models)


def test_processes_that_train_together_fetch_their_shares_of_one_version(
    folder: Path, tmp_path: Path, children: Children
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    arguments = ["-c", TRAIN, str(folder), str(tmp_path / "two"), yaml.safe_dump(to_mapping(CONFIG))]
    both = [children.python(*arguments, environment=group | {"RANK": str(rank)}) for rank in range(2)]
    for process in both:
        assert process.wait(120) == 0, process.output()
    frames = CONFIG.windows.starts + CONFIG.windows.far_frames
    share = frames * CONFIG.batch // 2
    for rank, process in enumerate(both):
        version, fetched = json.loads(process.output().splitlines()[-1])
        wanted = [share] * CONFIG.steps + [600, 600]  # of its windows, and of its one of two runs
        assert version == 1 and [size for size in fetched if rank or size in wanted] == wanted


def test_what_another_robot_has_otherwise_is_left_out_by_name(fleet_data: FleetData, tmp_path: Path) -> None:
    export_recordings(fleet_data.both, tmp_path, "ada", fleet_data.model)
    other = changed(fleet_data.first, image_size=(48, 48), command=np.array(fleet_data.first.command) + 1)
    export_recordings(other, tmp_path, "bob", fleet_data.model)
    fleet = FleetDataset(tmp_path)
    assert len(fleet) == 400 and fleet.version == 2
    last = fleet.card.sources[-1]
    assert last["path"].endswith("(bob)") and last["frames"] == 0
    assert last["problems"] == ["200 frames are left out, unlike most: pictures [px] 48x48, not 32x32"]


def test_what_cannot_be_read_is_said_in_a_line(fleet_data: FleetData, tmp_path: Path) -> None:
    (tmp_path / PLACES).mkdir()
    assert is_dataset(tmp_path)
    with pytest.raises(AmiError, match=r"has no recordings: add some by \./ami fleet export"):
        open_data(tmp_path)
    export_recordings(fleet_data.first, tmp_path, "ada", fleet_data.model)
    fleet = open_data(tmp_path)
    for file in (tmp_path / FRAMES / "data").iterdir():
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for call in (lambda: fleet.jpeg(3), lambda: open_data(tmp_path)):
        with pytest.raises(AmiError, match="cannot be read") as refused:
            call()
        assert "\n" not in str(refused.value)
    for manifest in (tmp_path / FRAMES / "_versions").iterdir():
        manifest.write_bytes(b"torn")
    with pytest.raises(AmiError, match="cannot be read"):
        open_data(tmp_path)
