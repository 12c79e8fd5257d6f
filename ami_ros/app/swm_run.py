"""What `ami bench swm` does, with progress: collect, learn, try."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ami_ros.app.extract_run import progress_bar
from ami_ros.app.train_run import has_bfloat16
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.swm.episodes import Episodes, collect, draw_tasks, try_policy
from ami_ros.evaluation.swm.policy import LatentPolicy, cem_policy, random_policy
from ami_ros.evaluation.swm.tasks import Task
from ami_ros.learning.trainer import Trainer
from ami_ros.world_model.checkpoint import CONFIG, load_model, save_model
from ami_ros.world_model.model import WorldModel

HELD_OUT = 5  # of this many collected episodes, one more is collected apart, for starts and goals
TRAINING, GOALS = 2, 3  # what seeds are multiplied by, so that data to learn from and data of goals differ


@dataclass
class Method:
    """One policy's results, over all seeds."""

    name: str
    make: Callable[[int], Any]  # seed -> policy
    solved: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of each plan


def run(
    task: Task,
    folder: Path,
    collected: int,
    steps: int,
    goals: int,
    seeds: int,
    seed: int,
    offset: int,
    budget: int,
    console: Console,
) -> dict[str, Any]:
    """Collects, learns and tries; what `folder` holds already is not made again. Returns flat figures."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    data = _episodes(task, folder / "episodes.npz", collected, 1_000 + TRAINING * seed, console)
    held_out = _episodes(task, folder / "goals.npz", max(8, collected // HELD_OUT), 500_000 + GOALS * seed, console)
    model = _model(task, folder, data, steps, seed, console)
    minutes = (time.monotonic() - began) / 60
    console.print(
        f"{len(data)} rows of {len(data.episodes)} episodes; data and model in {minutes:.1f} min", soft_wrap=True
    )
    methods = [
        Method("ami", lambda s: LatentPolicy(model, task.costs, s)),
        Method("swm_cem", lambda s: cem_policy(model, task.costs, s)),
        Method("random", random_policy),
    ]
    for s in range(seed, seed + seeds):
        tasks = draw_tasks(held_out, goals, offset, s)
        for method in methods:
            policy = method.make(s)
            solved = try_policy(task, policy, held_out, tasks, offset, budget)
            method.solved += solved.tolist()
            method.seconds += policy.seconds
            console.print(f"seed {s}, {method.name}: {int(solved.sum())} of {len(solved)}", soft_wrap=True)
    return {"data_and_model_min": round(minutes, 2), "rows": len(data)} | _show(methods, console)


def _episodes(task: Task, file: Path, count: int, seed: int, console: Console) -> Episodes:
    if file.is_file():
        return Episodes.load(file, task.position_scale)
    with progress_bar(console) as bar:
        row = bar.add_task(f"collecting {file.stem}", total=count)
        episodes = collect(task, count, seed, lambda: bar.advance(row))
    episodes.save(file)
    return episodes


def _model(task: Task, folder: Path, data: Episodes, steps: int, seed: int, console: Console) -> WorldModel:
    place = folder / "model"
    if not (place / CONFIG).is_file():
        config = replace(task.training, seed=seed, bfloat16=task.training.bfloat16 and has_bfloat16())
        config = replace(config, steps=steps or config.steps)
        trainer = Trainer(config, data, place)
        trainer.resume()
        with progress_bar(console) as bar:
            row = bar.add_task("learning", total=config.steps, completed=trainer.step)
            model = trainer.run(lambda step, _: bar.update(row, completed=step))
        save_model(place, task.name.lower(), model)
        trainer.checkpoint.unlink(missing_ok=True)
    return load_model(place).model


def _show(methods: list[Method], console: Console) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for method in methods:
        rate = SuccessRate.of(method.solved)
        figures |= {f"{method.name}_{key}": value for key, value in rate.to_json().items()}
        took = ""
        if method.name != "random":
            p50, p95 = 1000 * np.percentile(method.seconds, [50, 95])
            figures |= {
                f"{method.name}_plan_p50_ms": round(float(p50), 1),
                f"{method.name}_plan_p95_ms": round(float(p95), 1),
            }
            took = f"; one plan p50/p95 {p50:.0f}/{p95:.0f} ms"
        console.print(f"{method.name}: {rate}{took}", soft_wrap=True)
    return figures
