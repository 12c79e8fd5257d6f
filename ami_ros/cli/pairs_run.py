"""What `ami pairs` does: buildings -> views -> a model that compares pictures."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from rich.console import Console

from ami_ros.cli.extract_run import progress_bar
from ami_ros.cli.options import BuildingsJob
from ami_ros.cli.pairs import PairJob
from ami_ros.cli.train_run import goes_on_later, has_bfloat16, tell_quality
from ami_ros.core.errors import AmiError
from ami_ros.core.processes import worker_pool
from ami_ros.simulation.buildings.kinds import BARE, PREFIX, building_name, refuse_test_buildings
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.pair_training import PairConfig, calibrate, fit_pairs, judge_pairs, quality
from ami_ros.world_model.learning.views import NARROWEST, ViewConfig, Views, joined, load_views, save_views, take_views
from ami_ros.world_model.spec import PAIR_NARROW
from ami_ros.world_model.torch_model import CONFIG, LoadedModel, WorldModel, load_model, save_model

NO_CEILING = 5  # one in so many buildings has none
SIZE = 96  # [px] of pictures that are compared
BATCHES = 48  # of pairs that thresholds are found by


def run(job: PairJob) -> LoadedModel:
    """Writes the model folder.

    Raises:
        AmiError: a building is for tests, or learned from and held out; the model has no calibrated camera.
    """
    console = Console(emoji=False, stderr=True)
    if (job.out / CONFIG).exists():
        raise AmiError(f"pairs: {job.out} holds a model already; choose another --out")
    torch.set_num_threads(job.threads or len(os.sched_getaffinity(0)))
    start = load_model(job.model)
    model = comparing(start.model, SIZE)
    drawn, kept = buildings_of(job, "pairs")
    learned = _views(job, drawn, model, console)
    held_out = _views(job, kept, model, console)
    began = time.monotonic()
    assert model.pairs is not None
    torch.manual_seed(job.seed)
    config = PairConfig(steps=job.steps, seed=job.seed, bfloat16=has_bfloat16())
    keep = job.out / "pairs_so_far.safetensors"
    with goes_on_later(console), progress_bar(console) as bar:
        task = bar.add_task("comparing pictures", total=job.steps)
        fit_pairs(model.pairs, learned, config, lambda done, loss: bar.update(task, completed=done), keep)
    # Thresholds and figures are of different halves of the buildings that were held out.
    halves = [held_out.of_worlds(rest) for rest in (0, 1)]
    calibrate(
        model.pairs,
        *(judge_pairs(model.pairs, halves[0].of_cameras(narrow), BATCHES, job.seed) for narrow in (False, True)),
    )
    found = {
        f"{what} pictures": asdict(
            quality(model.pairs, judge_pairs(model.pairs, halves[1].of_cameras(narrow), BATCHES, job.seed), sees)
        )
        for what, narrow, sees in (("whole", False, 1.0), ("narrow", True, PAIR_NARROW))
    }
    loaded = save_model(job.out, job.name or job.out.resolve().name, model, start)
    keep.unlink(missing_ok=True)
    known = {"encoder_id": loaded.encoder_id, "buildings": len(drawn), "steps": job.steps, "seed": job.seed}
    tell_quality("in buildings held out", found, known, job.json, began, console)
    console.print(f"model {loaded.encoder_id} is in {job.out}")
    return loaded


def comparing(model: WorldModel, size: int) -> WorldModel:
    """The same model, comparing pictures of `size` [px], also of narrow cameras: with the weights that it has for that,
    or with new ones.

    Raises:
        AmiError: its camera is not known.
    """
    inputs = model.spec.inputs
    if not inputs.field_of_view:
        raise AmiError("pairs: the model does not know its camera; train it with recordings that have camera_info")
    inputs = replace(inputs, narrowest=min(NARROWEST[1], inputs.field_of_view))
    wanted, knows = WorldModel(replace(model.spec, inputs=inputs, pair_size=size, sight_code=0)), model.spec.pair_size
    anew = ("sighting.",) if knows == size else ("sighting.", "pairs.")
    own = {k: v for k, v in model.state_dict().items() if not k.startswith(anew)}
    wanted.load_state_dict(own, strict=False)
    return wanted.eval()


def _views(job: PairJob, buildings: list[str], model: WorldModel, console: Console) -> Views:
    """Of all buildings."""
    config = ViewConfig(size=SIZE, field_of_view=model.spec.inputs.field_of_view)
    files = draw_missing(buildings, job.views, config, job.workers, console, "pairs")
    return joined([load_views(file) for file in files])


def buildings_of(job: BuildingsJob, command: str) -> tuple[list[str], list[str]]:
    """Names of the buildings to learn from, and of those that are held out.

    Raises:
        AmiError: one would be both.
    """
    learned = range(job.first, job.first + job.buildings)
    kept = range(job.held_out_first, job.held_out_first + job.held_out)
    if set(learned) & set(kept):
        raise AmiError(f"{command}: buildings to learn from must not be held out as well; choose other seeds")
    drawn = [f"{PREFIX}{seed}" for seed in learned] + [f"{PREFIX}{BARE}:{seed}" for seed in range(job.bare)]
    return drawn, [f"{PREFIX}{seed}" for seed in kept]


def draw_missing(
    buildings: list[str], folder: Path, config: ViewConfig, workers: int, console: Console, command: str
) -> list[Path]:
    """Files with the views of all buildings; those that are on disk are not drawn again.

    Raises AmiError: one of them is for tests, of which a `command` must not learn.
    """
    for building in buildings:
        refuse_test_buildings(building, command)
    files = {name: folder / f"{name.removeprefix(PREFIX).replace(':', '_')}.npz" for name in buildings}
    missing = [name for name, file in files.items() if not file.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        workers = min(len(missing), workers or len(os.sched_getaffinity(0)))
        with goes_on_later(console), progress_bar(console) as bar, worker_pool(workers) as pool:
            task = bar.add_task("drawing buildings", total=len(missing))
            for future in [pool.submit(draw_building, name, files[name], config) for name in missing]:
                future.result()
                bar.advance(task)
    return list(files.values())


def draw_building(name: str, file: Path, config: ViewConfig) -> None:
    """Views of one building, to a file; some stand open to the sky, as worlds of simulators often do."""
    world, seed = load_world(name), building_name(name).seed
    if seed % NO_CEILING == NO_CEILING - 1:
        world = replace(world, interior=None)
    save_views(file, take_views(world, config, seed))
