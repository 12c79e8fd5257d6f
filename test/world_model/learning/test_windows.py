"""Training windows: rows of one episode, in order, with the right commands and poses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.windows import Batch, Joined, Source, WindowConfig, WindowSampler
from ami_ros.world_model.spec import InputSpec, ModelSpec

PERIOD, CHUNK = 0.2, 3
CONFIG = WindowConfig(starts=4, far_frames=2, far_seconds=4.0, pairs=10)
SPEC = ModelSpec(InputSpec(image_size=16, scan_beams=1), period=PERIOD, chunk=CHUNK)


@dataclass
class Track:
    """A recording whose every row can be told from its image, and whose commands name their row."""

    episodes: list[tuple[int, int]]
    period: float = PERIOD
    scanner: Mount | None = None
    scan: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        rows = max(stop for _, stop in self.episodes)
        self.scan = 1 + np.arange(rows, dtype=np.float32)[:, None]
        self.command = np.column_stack([np.arange(rows) + 1, -np.arange(rows)]).astype(np.float32)
        self.odometry: Array = np.cumsum(np.random.default_rng(0).normal(size=(rows, 3)), 0)

    def __len__(self) -> int:
        return len(self.command)

    def images(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        return np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (len(rows), size, size, 3)).copy()

    def load_images(self, size: int) -> NDArray[np.uint8]:
        return self.images(np.arange(len(self)), size)


@pytest.fixture
def track() -> Track:
    return Track([(0, 40), (40, 52), (52, 58), (58, 150)])  # the third is too short for a window of 10 rows


@pytest.fixture
def sampler(track: Track) -> WindowSampler:
    return WindowSampler(track, SPEC, CONFIG)


def rows_of(batch: Batch, frames: int) -> NDArray[np.int64]:
    """The rows (frames, size) that a batch was taken from, by the scan that names them."""
    assert batch.sensors.scan is not None and batch.sensors.image is not None
    rows = batch.sensors.scan[:, 0].numpy().astype(np.int64) - 1
    np.testing.assert_array_equal(batch.sensors.image[:, 0, 0, 0].numpy(), rows)  # all sensors of the same moment
    return rows.reshape(frames, -1)


def episode_of(track: Track, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted([stop for _, stop in track.episodes], rows, side="right")


def test_windows_lie_in_one_episode_and_far_frames_near_them(track: Track, sampler: WindowSampler) -> None:
    rows = rows_of(sampler.batch(np.random.default_rng(0), 500), 6)
    episodes = episode_of(track, rows)
    assert (episodes == episodes[0]).all() and set(episodes[0]) == {0, 1, 3}
    np.testing.assert_array_equal(np.diff(rows[:4], axis=0), CHUNK)
    assert np.abs(rows[4:] - rows[0]).max() <= CONFIG.far_seconds / PERIOD
    assert (rows[4:] < rows[0]).any() and (rows[4:] > rows[3]).any()


def test_every_possible_start_is_drawn_and_no_other(sampler: WindowSampler) -> None:
    starts = set(rows_of(sampler.batch(np.random.default_rng(1), 5000), 6)[0])
    # A window spans 9 rows beyond its first one.
    assert starts == {*range(31), *range(40, 43), *range(58, 141)} and len(sampler) == len(starts)


def test_commands_lead_from_each_start_to_the_next(track: Track, sampler: WindowSampler) -> None:
    batch = sampler.batch(np.random.default_rng(2), 64)
    rows = rows_of(batch, 6)
    assert batch.commands.shape == (3, 64, CHUNK, 2) and batch.commands.dtype == torch.float32
    np.testing.assert_array_equal(batch.commands[..., 0], rows[:3, :, None] + np.arange(CHUNK) + 1)
    assert batch.previous.shape == (3, 64, 2)
    begins = np.array([start for start, _ in track.episodes])[episode_of(track, rows[:3])]
    at_rest = rows[:3] == begins
    np.testing.assert_array_equal(batch.previous[..., 0], np.where(at_rest, 0, rows[:3]))
    assert (batch.previous[torch.from_numpy(at_rest)] == 0).all()


def test_an_episode_begins_from_rest() -> None:
    sampler = WindowSampler(Track([(0, 10), (10, 20)]), SPEC, CONFIG)
    batch = sampler.batch(np.random.default_rng(0), 20)
    assert set(rows_of(batch, 6)[0]) == {0, 10}
    assert (batch.previous[0] == 0).all() and (batch.previous[1] != 0).any()


def test_poses_and_motions_are_those_of_odometry(track: Track, sampler: WindowSampler) -> None:
    batch = sampler.batch(np.random.default_rng(3), 32)
    rows = rows_of(batch, 6)
    np.testing.assert_allclose(batch.poses, relative(track.odometry[rows[0]], track.odometry[rows]), atol=1e-5)
    np.testing.assert_allclose(batch.poses[0], 0.0, atol=1e-6)
    chained = compose(batch.poses[1].numpy(), batch.motions[1].numpy())
    np.testing.assert_allclose(np.cos(chained - batch.poses[2].numpy())[:, 2], 1.0, atol=1e-5)
    np.testing.assert_allclose(chained[:, :2], batch.poses[2, :, :2], atol=1e-4)


def test_pairs_join_different_frames_and_half_of_them_reach_far(sampler: WindowSampler) -> None:
    pairs = sampler.batch(np.random.default_rng(4), 300).pairs
    assert pairs.shape == (CONFIG.pairs, 300, 2) and pairs.dtype == torch.int64
    assert (pairs[..., 0] != pairs[..., 1]).all() and pairs.min() == 0 and pairs.max() == 5
    assert float((pairs >= CONFIG.starts).any(-1).float().mean()) >= 0.5
    first, second = pairs.unbind(-1)
    assert abs(float((first > second).float().mean()) - 0.5) < 0.05  # in either order


def test_one_seed_gives_one_batch(sampler: WindowSampler) -> None:
    first, second, other = (sampler.batch(np.random.default_rng(seed), 8) for seed in (5, 5, 6))
    for name in Batch._fields[1:]:
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    np.testing.assert_array_equal(rows_of(first, 6), rows_of(second, 6))
    assert (rows_of(first, 6) != rows_of(other, 6)).any()


def test_episodes_without_room_for_a_window_give_none() -> None:
    assert len(WindowSampler(Track([(0, 9), (9, 18)]), SPEC, CONFIG)) == 0
    assert len(WindowSampler(Track([(0, 10)]), SPEC, CONFIG)) == 1


def test_no_far_frames_are_fine(track: Track) -> None:
    batch = WindowSampler(track, SPEC, WindowConfig(starts=4, far_frames=0)).batch(np.random.default_rng(0), 16)
    assert batch.poses.shape == (4, 16, 3) and int(batch.pairs.max()) == 3


def test_only_the_sensors_of_the_model_are_kept(track: Track) -> None:
    track.scan = np.ones((150, 36), np.float32)
    sampler = WindowSampler(track, ModelSpec(InputSpec(image_size=0, scan_beams=18)), CONFIG)
    sensors = sampler.sensors(np.array([3, 1]))
    assert sensors.image is None
    assert sensors.scan is not None and sensors.scan.shape == (2, 18)


# Several recordings as one; pictures that do not fit into memory; inputs that a recording lacks.


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
    assert len(whole) == 2 * n and whole.episodes[6] == (n, n + 200) and len(whole.episodes) == 12
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
    sources = [Source(whole.episodes[:2], 0.75), Source(whole.episodes[9:10], 0.25)]
    sampler = WindowSampler(whole, spec, config, sources)
    batch = sampler.batch(np.random.default_rng(0), 40)
    assert int((batch.commands[0, :, 0, 0] == 7).sum()) == 10
    alone = sampler.within(sources[1:])
    assert (alone.batch(np.random.default_rng(0), 5).commands == 7).all() and len(alone) == 200 - 6
    assert len(sampler) == 3 * (200 - 6) and alone.images is sampler.images


def test_pictures_that_do_not_fit_into_memory_are_decoded_when_wanted(
    dataset: Dataset, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = WindowSampler(dataset, spec, WindowConfig(), budget=1200 * 16 * 16 * 3).batch(np.random.default_rng(0), 6)
    monkeypatch.setattr(Dataset, "load_images", lambda self, size: pytest.fail("there is no room"))
    stored = WindowSampler(dataset, spec, WindowConfig(), budget=1200 * 16 * 16 * 3 - 1)
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
