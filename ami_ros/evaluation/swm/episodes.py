"""Episodes collected in an environment: what a model is trained on, and what the goals of an evaluation come from.

The protocol of the field: from a row of an episode to the row some steps later, judged by the environment itself.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.evaluation.swm.tasks import Task, open_world
from ami_ros.scan import Mount
from ami_ros.world_model.identity import write_atomically

PERIOD = 0.1  # [s] of one environment step: both environments render 10 frames/s
COLUMNS = ("pixels", "state", "action")
TOGETHER = 8  # environments stepped side by side
LIMIT = 100  # steps of an episode


@dataclass(frozen=True)
class Episodes:
    """Rows of all episodes, one behind the other; what a `learning.windows.Recording` is, and a dataset of theirs.

    Args:
        pixels: (n, PIXELS, PIXELS, 3) uint8 RGB.
        state: (n, state_dim), the environment's own; training sees of it what `scale` lets through.
        command: (n, 2) actions in [-1, 1], each in force from its row to the next.
        episodes: (start, stop) of each.
        scale: state per metre of x and y; 0: training is told no position.
    """

    pixels: NDArray[np.uint8]
    state: NDArray[np.float32]
    command: NDArray[np.float32]
    episodes: Sequence[tuple[int, int]]
    scale: float
    column_names = COLUMNS
    period = PERIOD

    @classmethod
    def of(cls, episodes: Iterable[dict[str, NDArray[Any]]], scale: float) -> Episodes:
        """Episodes as they come from a collecting world."""
        parts = list(episodes)
        ends = np.cumsum([0] + [len(part["state"]) for part in parts])
        return cls(
            np.concatenate([part["pixels"] for part in parts]),
            np.concatenate([part["state"] for part in parts]).astype(np.float32),
            np.concatenate([part["action"] for part in parts]).astype(np.float32),
            [(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)],
            scale,
        )

    def save(self, file: Path) -> None:
        """Writes an .npz file, whole or not at all."""
        content = io.BytesIO()
        np.savez_compressed(
            content, pixels=self.pixels, state=self.state, action=self.command, episodes=np.array(self.episodes)
        )
        write_atomically(file, content.getvalue())

    @classmethod
    def load(cls, file: Path, scale: float) -> Episodes:
        """Reads what `save` wrote.

        Raises:
            AmiError: it is something else, or damaged.
        """
        try:
            with np.load(file, allow_pickle=False) as columns:
                episodes = [(int(a), int(b)) for a, b in columns["episodes"]]
                return cls(columns["pixels"], columns["state"], columns["action"], episodes, scale)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise AmiError(f"bench swm: {file} holds no episodes; delete it, and they are collected again") from error

    def __len__(self) -> int:
        return len(self.state)

    @property
    def scan(self) -> NDArray[np.float32]:
        """No scanner: (n, 0)."""
        return np.zeros((len(self), 0), np.float32)

    @property
    def scanner(self) -> Mount | None:
        """No scanner."""
        return None

    @property
    def heading(self) -> NDArray[np.float32]:
        """No compass: (n,) NaN."""
        return np.full(len(self), np.nan, np.float32)

    @property
    def odometry(self) -> NDArray[np.float64]:
        """(n, 3): x, y [m] by `scale`, and a heading that is always 0."""
        poses = np.zeros((len(self), 3))
        if self.scale:
            poses[:, :2] = self.state[:, :2] / self.scale
        return poses

    def load_images(self, size: int) -> NDArray[np.uint8]:
        """(n, size, size, 3); only of the size that was collected."""
        if size != self.pixels.shape[1]:
            raise ValueError(f"episodes hold pictures of {self.pixels.shape[1]} px, not {size}")
        return self.pixels

    def images(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """(k, size, size, 3) of some rows; likewise."""
        return self.load_images(size)[rows]

    def starts(self, offset: int) -> NDArray[np.int64]:
        """(k, 2): every (episode, step) that has a row `offset` steps later."""
        return np.array(
            [(index, step) for index, (a, b) in enumerate(self.episodes) for step in range(b - a - offset)], np.int64
        ).reshape(-1, 2)

    def load_chunk(
        self, episodes: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> list[dict[str, Any]]:
        """Rows `starts` to `ends` of some episodes, as their evaluation wants them: pictures (t, 3, H, W)."""
        chunks = []
        for episode, start, end in zip(episodes, starts, ends, strict=True):
            rows = slice(self.episodes[episode][0] + start, self.episodes[episode][0] + end)
            pixels = torch.from_numpy(self.pixels[rows]).permute(0, 3, 1, 2)
            chunks.append({"pixels": pixels, "state": self.state[rows], "action": self.command[rows]})
        return chunks


class _Writer:
    """Takes what a world of theirs collects."""

    def __init__(self, report: Callable[[], None]) -> None:
        self.episodes: list[dict[str, NDArray[Any]]] = []
        self._report = report

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write_episodes(self, episodes: Iterator[dict[str, list[Any]]]) -> None:
        for episode in episodes:
            self.episodes.append({name: np.array(episode[name]) for name in COLUMNS})
            self._report()


def collect(task: Task, episodes: int, seed: int, report: Callable[[], None]) -> Episodes:
    """Lets collectors of theirs act, and keeps what happened.

    Args:
        task: where, and by whom.
        episodes: how many, of at most LIMIT steps.
        seed: of starts and actions.
        report: called after each episode.

    Raises:
        AmiError: the extra is not installed.
    """
    writer = _Writer(report)
    rounds = max(1, min(3, episodes // TOGETHER))
    for index in range(rounds):
        world = open_world(task, TOGETHER, LIMIT)
        world.set_policy(task.collector(index, seed + index))
        share = episodes * (index + 1) // rounds - episodes * index // rounds
        world.collect(writer=writer, episodes=share, seed=seed * 10_000 + index * 1_000_000, progress=False)
        world.close()
    return Episodes.of(writer.episodes, task.position_scale)


def draw_tasks(episodes: Episodes, count: int, offset: int, seed: int) -> NDArray[np.int64]:
    """(count, 2) different (episode, first step), at random.

    Raises:
        AmiError: the episodes have fewer.
    """
    starts = episodes.starts(offset)
    if len(starts) < count:
        raise AmiError(f"bench swm: {len(starts)} starts with a goal {offset} steps later, not {count}; collect more")
    chosen = np.random.default_rng(seed).choice(len(starts), count, replace=False)
    return starts[np.sort(chosen)]


def try_policy(
    task: Task, policy: Any, episodes: Episodes, tasks: NDArray[np.int64], offset: int, budget: int
) -> NDArray[np.bool_]:
    """Which tasks the policy solved: the goal was reached at any step (stable-worldmodel's `World.evaluate`).

    Args:
        task: the environment.
        policy: one of theirs, or one with the same methods.
        episodes: where starts and goals come from.
        tasks: (n, 2) episode and first step.
        offset: steps from start to goal in the episode.
        budget: steps that the policy has.
    """
    world = open_world(task, len(tasks), 2 * budget)
    try:
        world.set_policy(policy)
        result = world.evaluate(
            dataset=episodes,
            episodes_idx=tasks[:, 0].tolist(),
            start_steps=tasks[:, 1].tolist(),
            goal_offset=offset,
            eval_budget=budget,
            callables=[
                {"method": method, "args": {argument: {"value": column}}} for method, argument, column in task.setters
            ],
        )
    finally:
        world.close()
    return np.asarray(result["episode_successes"], dtype=bool)
