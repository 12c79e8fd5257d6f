"""What `ami pairs` does: buildings -> views -> a model that compares pictures."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from ami_ros.app.extract_run import progress_bar
from ami_ros.app.train_run import goes_on_later, has_bfloat16
from ami_ros.app.workers import worker_pool
from ami_ros.errors import AmiError
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.learning.pair_calibration import PairQuality, calibrate, judge_pairs, quality
from ami_ros.learning.pair_phase import PairConfig, fit_pairs
from ami_ros.learning.views import NARROWEST, ViewConfig, Views, joined, load_views, save_views, take_views
from ami_ros.simulation.buildings.names import BARE, PREFIX, building_name, refuse_test_buildings
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.checkpoint import CONFIG, LoadedModel, load_model, save_model
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import PAIR_NARROW

NO_CEILING = 5  # one in so many buildings has none
SIZE = 96  # [px] of pictures that are compared
BATCHES = 48  # of pairs that thresholds are found by


@dataclass(frozen=True)
class PairJob:
    """What the user asked for."""

    model: Path
    out: Path
    views: Path
    learned: tuple[int, ...]  # seeds of buildings
    held_out: tuple[int, ...]
    steps: int
    seed: int
    workers: int
    threads: int
    name: str
    json: Path | None = None
    size: int = SIZE  # [px]
    bare: int = 0  # plain buildings to learn from besides


def run(job: PairJob) -> LoadedModel:
    """Writes the model folder.

    Raises:
        AmiError: a building is for tests, or learned from and held out; the model has no calibrated camera.
    """
    console = Console(emoji=False, stderr=True)
    if set(job.learned) & set(job.held_out):
        raise AmiError("pairs: buildings to learn from must not be held out as well; choose other seeds")
    if (job.out / CONFIG).exists():
        raise AmiError(f"pairs: {job.out} holds a model already; choose another --out")
    torch.set_num_threads(job.threads or len(os.sched_getaffinity(0)))
    model = comparing(load_model(job.model).model, job.size)
    drawn = [f"{PREFIX}{seed}" for seed in job.learned] + [f"{PREFIX}{BARE}:{seed}" for seed in range(job.bare)]
    learned = _views(job, drawn, model, console)
    held_out = _views(job, [f"{PREFIX}{seed}" for seed in job.held_out], model, console)
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
        what: quality(model.pairs, judge_pairs(model.pairs, halves[1].of_cameras(narrow), BATCHES, job.seed), sees)
        for what, narrow, sees in (("whole", False, 1.0), ("narrow", True, PAIR_NARROW))
    }
    loaded = save_model(job.out, job.name, model)
    keep.unlink(missing_ok=True)
    _show(found, console)
    console.print(f"model {loaded.encoder_id} is in {job.out}")
    if job.json is not None:
        known = {"encoder_id": loaded.encoder_id, "buildings": len(drawn), "steps": job.steps, "seed": job.seed}
        minutes = round((time.monotonic() - began) / 60, 2)
        figures = {f"{what}_{name}": value for what in found for name, value in asdict(found[what]).items()}
        write_json(job.json, known | figures | {"minutes": minutes} | hardware())
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
    config = ViewConfig(size=job.size, field_of_view=model.spec.inputs.field_of_view)
    files = draw_missing(buildings, job.views, config, job.workers, console, "pairs")
    return joined([load_views(file) for file in files])


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


def _show(found: dict[str, PairQuality], console: Console) -> None:
    table = Table("in buildings held out", *(f"{what} pictures" for what in found), box=None, padding=(0, 3, 0, 0))
    columns = [asdict(quality) for quality in found.values()]
    for name in columns[0]:
        table.add_row(name, *(f"{column[name]:.3g}" for column in columns))
    console.print(table)
