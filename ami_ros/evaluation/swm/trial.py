"""The protocol of the field: from a row of an episode to the row some steps later, judged by the environment itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.evaluation.swm.episodes import Episodes
from ami_ros.evaluation.swm.tasks import Task, open_world


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
