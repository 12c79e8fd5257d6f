"""Several recordings as one; pictures that do not fit into memory; inputs that a recording lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.windows import Joined, Source, StoredPictures, WindowConfig, WindowSampler
from ami_ros.world_model.spec import InputSpec, ModelSpec


class Changed:
    """A data set with other values in some columns."""

    def __init__(self, dataset: Dataset, **columns: object) -> None:
        self._dataset = dataset
        for name in ("period", "scan", "scanner", "odometry", "command", "episodes"):
            setattr(self, name, columns.get(name, getattr(dataset, name)))

    period: float
    scan: NDArray[np.float32]
    scanner: Mount | None
    odometry: NDArray[np.float64]
    command: NDArray[np.float32]
    episodes: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self._dataset)

    def images(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        return 255 - self._dataset.images(rows, size)

    def load_images(self, size: int) -> NDArray[np.uint8]:
        return 255 - self._dataset.load_images(size)


def test_rows_of_all_parts_stand_behind_one_another(dataset: Dataset) -> None:
    other = Changed(dataset, command=dataset.command + 1)
    whole = Joined([dataset, other])
    n = len(dataset)
    assert len(whole) == 2 * n and whole.episodes_of(1)[0] == (n, n + 200) and len(whole.episodes) == 12
    rows = np.array([n + 3, 3, 2 * n - 1, 0])
    images = whole.images(rows, 16)
    np.testing.assert_array_equal(images, whole.load_images(16)[rows])
    np.testing.assert_array_equal(images[0], 255 - images[1])
    np.testing.assert_array_equal(whole.command[n + 3], whole.command[3] + 1)


def test_a_finer_scan_keeps_what_a_model_reads_of_the_coarser(dataset: Dataset) -> None:
    beams = dataset.scan.shape[1]
    whole = Joined([dataset, Changed(dataset, scan=np.repeat(dataset.scan, 3, axis=1))])
    assert whole.scan.shape == (2 * len(dataset), 3 * beams)
    spec = ModelSpec(InputSpec(image_size=0, scan_beams=beams))
    rows = np.arange(0, len(dataset), 50)
    first = WindowSampler(dataset, spec, WindowConfig()).sensors(rows).scan
    second = WindowSampler(whole, spec, WindowConfig()).sensors(rows).scan
    assert first is not None and second is not None and torch.equal(first, second)


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"period": 0.1}, r"different periods \(0.2, 0.1 s\)"), ({"scan": np.zeros((1200, 0))}, "some have none")],
)
def test_what_does_not_go_together_is_one_line(dataset: Dataset, columns: dict[str, object], message: str) -> None:
    with pytest.raises(AmiError, match=message):
        Joined([dataset, Changed(dataset, **columns)])


def test_every_source_gives_its_share_and_nothing_else_is_drawn(dataset: Dataset, spec: ModelSpec) -> None:
    whole = Joined([dataset, Changed(dataset, command=dataset.command * 0 + 7)])
    config = WindowConfig(starts=3)
    sources = [Source(whole.episodes_of(0)[:2], 0.75), Source(whole.episodes_of(1)[3:4], 0.25)]
    sampler = WindowSampler(whole, spec, config, sources)
    batch = sampler.batch(np.random.default_rng(0), 40)
    assert int((batch.commands[0, :, 0, 0] == 7).sum()) == 10
    alone = sampler.within(sources[1:])
    assert (alone.batch(np.random.default_rng(0), 5).commands == 7).all() and len(alone) == 200 - 6
    assert len(sampler) == 3 * (200 - 6) and alone.images is sampler.images


def test_pictures_that_do_not_fit_into_memory_are_decoded_when_wanted(dataset: Dataset, spec: ModelSpec) -> None:
    held = WindowSampler(dataset, spec, WindowConfig(), budget=1200 * 16 * 16 * 3).batch(np.random.default_rng(0), 6)
    stored = WindowSampler(dataset, spec, WindowConfig(), budget=1200 * 16 * 16 * 3 - 1)
    assert isinstance(stored.images, StoredPictures)
    again = stored.batch(np.random.default_rng(0), 6)
    assert held.sensors.image is not None and again.sensors.image is not None
    assert torch.equal(held.sensors.image, again.sensors.image)


@pytest.mark.parametrize(
    ("columns", "inputs", "message"),
    [
        ({"scan": np.zeros((1200, 0))}, InputSpec(image_size=16), "needs a scan.*scan_beams=0"),
        ({"period": 0.1}, InputSpec(image_size=16), r"each 0.1 s, the model one each 0.2 s; .*--period 0.2"),
    ],
)
def test_a_recording_that_lacks_an_input_is_one_line(
    dataset: Dataset, spec: ModelSpec, columns: dict[str, object], inputs: InputSpec, message: str
) -> None:
    with pytest.raises(AmiError, match=message) as refused:
        WindowSampler(Changed(dataset, **columns), replace(spec, inputs=inputs), WindowConfig())
    assert "\n" not in str(refused.value)
