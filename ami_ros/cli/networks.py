"""What `ami pairs`, `ami ranges` and `ami scans` do: networks that learn from what the simulator draws and drives."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ami_ros.bench.report import hardware, write_json
from ami_ros.cli.options import BuildingsOptions, PairOptions, RangeOptions, ScanOptions
from ami_ros.cli.progress import goes_on_later, progress_bar, reporting
from ami_ros.cli.train import has_bfloat16
from ami_ros.core.errors import AmiError
from ami_ros.core.processes import worker_pool
from ami_ros.simulation.buildings.kinds import BARE, PREFIX, building_name, refuse_test_buildings
from ami_ros.simulation.corridors import draw_corridors
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model import torch_layers
from ami_ros.world_model.learning.pair_training import PairConfig, calibrate, fit_pairs, judge_pairs, quality
from ami_ros.world_model.learning.range_training import RangeConfig, fit_ranges, judge_ranges, ranges_in
from ami_ros.world_model.learning.scan_training import (
    FittedPairs,
    ScanConfig,
    building_pairs,
    corridor_pairs,
    fit_scans,
    joined_pairs,
    judge_scans,
)
from ami_ros.world_model.learning.views import (
    CameraRange,
    ViewConfig,
    Views,
    joined,
    load_views,
    save_views,
    take_views,
)
from ami_ros.world_model.model_files import WEIGHTS, save_network
from ami_ros.world_model.picture_scan import SIZE as RANGE_SIZE
from ami_ros.world_model.picture_scan import RangeNetwork, save_ranges
from ami_ros.world_model.scan_pairs import ScanPairNetwork
from ami_ros.world_model.spec import PAIR
from ami_ros.world_model.torch_model import CONFIG, LoadedModel, WorldModel, load_model, save_model

PAIR_SIZE = 96  # [px] of pictures that are compared
PAIR_BATCHES = 48  # of pairs by which thresholds are found, and figures
DRIVES = "drives"  # folder in which fits of scans are kept until the network is written


def teach_pairs(job: PairOptions) -> LoadedModel:
    """`ami pairs`: buildings -> views -> a model that compares pictures; writes its folder.

    Raises:
        AmiError: a building is for tests, or learned from and held out; the model has no calibrated camera.
    """
    console = Console(emoji=False, stderr=True)
    if (job.out / CONFIG).exists():
        raise AmiError(f"pairs: {job.out} holds a model already; choose another --out")
    torch.set_num_threads(job.threads or len(os.sched_getaffinity(0)))
    start = load_model(job.model)
    model = comparing(start.model, PAIR_SIZE)
    view = ViewConfig(size=PAIR_SIZE, field_of_view=model.spec.inputs.field_of_view)
    drawn, kept = buildings_of(job, "pairs")
    learned, held_out = (joined(_views(job, names, view, "pairs", console)) for names in (drawn, kept))
    began = time.monotonic()
    head = model.pairs
    assert head is not None
    torch.manual_seed(job.seed)
    config = PairConfig(steps=job.steps, seed=job.seed, bfloat16=has_bfloat16())
    keep = job.out / "pairs_so_far.safetensors"
    _learn("comparing pictures", job.steps, console, lambda report: fit_pairs(head, learned, config, report, keep))
    # Thresholds and figures are of different halves of the buildings that were held out.
    found, wide_and_narrow = {}, (False, True)
    halves = [held_out.of_worlds(rest) for rest in (0, 1)]
    calibrate(
        head, *(judge_pairs(head, halves[0].of_cameras(narrow), PAIR_BATCHES, job.seed) for narrow in wide_and_narrow)
    )
    for what, narrow, sees in (("whole", False, 1.0), ("narrow", True, PAIR.narrow)):
        judged = judge_pairs(head, halves[1].of_cameras(narrow), PAIR_BATCHES, job.seed)
        found[f"{what} pictures"] = asdict(quality(head, judged, sees))
    loaded = save_model(job.out, job.name or job.out.resolve().name, model, start)
    keep.unlink(missing_ok=True)
    known = {"encoder_id": loaded.encoder_id, "buildings": len(drawn), "steps": job.steps, "seed": job.seed}
    _tell_quality("in buildings held out", found, known, job.json, began, console)
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
    inputs = replace(inputs, narrowest=min(CameraRange().narrowest[1], inputs.field_of_view))
    wanted, knows = WorldModel(replace(model.spec, inputs=inputs, pair_size=size, sight_code=0)), model.spec.pair_size
    anew = ("sighting.",) if knows == size else ("sighting.", "pairs.")
    own = {k: v for k, v in model.state_dict().items() if not k.startswith(anew)}
    wanted.load_state_dict(own, strict=False)
    return wanted.eval()


def train_ranges(job: RangeOptions) -> None:
    """`ami ranges`: buildings -> views -> a network that guesses from a picture how far off things are.

    Raises:
        AmiError: a building is for tests, or learned from and held out; the model has no camera that is calibrated.
    """
    console = Console(emoji=False, stderr=True)
    torch.set_num_threads(job.threads or len(os.sched_getaffinity(0)))
    model = load_model(job.model).model
    angle = model.spec.inputs.field_of_view
    if model.pairs is None or not angle:
        raise AmiError(
            f"ranges: model {job.model} does not compare pictures of a camera that it knows; see ./ami pairs"
        )
    view = ViewConfig(size=RANGE_SIZE, field_of_view=angle)

    def seen(names: list[str]) -> tuple[Views, NDArray[np.float32]]:
        """Views of all buildings, and how far off what they show is."""
        views = _views(job, names, view, "ranges", console)
        parts = [ranges_in(load_world(name), each) for name, each in zip(names, views, strict=True)]
        return joined(views), np.concatenate(parts)

    drawn, kept = buildings_of(job, "ranges")
    learned, (held_out, true) = seen(drawn), seen(kept)
    began = time.monotonic()
    torch.manual_seed(job.seed)
    network = torch_layers.network(RangeNetwork, model.pairs.features)
    config = RangeConfig(steps=job.steps, seed=job.seed, bfloat16=has_bfloat16())
    keep, what = job.out / "ranges_so_far.safetensors", "looking how far off things are"
    _learn(what, job.steps, console, lambda report: fit_ranges(network, *learned, config, report, keep))
    save_ranges(job.out, network, angle)
    keep.unlink(missing_ok=True)
    found = {}
    for what, narrow in (("whole", False), ("narrow", True)):
        rows = held_out.rows_of_cameras(narrow)
        found[f"{what} pictures"] = asdict(judge_ranges(network, held_out.of(rows), true[rows], job.seed))
    known = {"buildings": len(drawn), "steps": job.steps, "seed": job.seed}
    _tell_quality("in buildings held out", found, known, job.json, began, console)
    console.print(f"the network is in {job.out}")


def buildings_of(job: BuildingsOptions, command: str) -> tuple[list[str], list[str]]:
    """Names of the buildings to learn from, and of those that are held out.

    Raises:
        AmiError: one would be both, or is for tests, of which a `command` must not learn.
    """
    learned = range(job.first, job.first + job.buildings)
    kept = range(job.held_out_first, job.held_out_first + job.held_out)
    if set(learned) & set(kept):
        raise AmiError(f"{command}: buildings to learn from must not be held out as well; choose other seeds")
    drawn = [f"{PREFIX}{seed}" for seed in learned] + [f"{PREFIX}{BARE}:{seed}" for seed in range(job.bare)]
    return drawn, [f"{PREFIX}{seed}" for seed in kept]


def _views(
    job: BuildingsOptions, buildings: list[str], config: ViewConfig, command: str, console: Console
) -> list[Views]:
    """Views of all buildings; those that are on disk are not drawn again.

    Raises AmiError: one of them is for tests, of which a `command` must not learn.
    """
    for building in buildings:
        refuse_test_buildings(building, command)
    files = {name: job.views / f"{name.removeprefix(PREFIX).replace(':', '_')}.npz" for name in buildings}
    missing = [name for name, file in files.items() if not file.exists()]
    if missing:
        job.views.mkdir(parents=True, exist_ok=True)
        workers = min(len(missing), job.workers or len(os.sched_getaffinity(0)))
        with goes_on_later(console), progress_bar(console) as bar, worker_pool(workers) as pool:
            task = bar.add_task("drawing buildings", total=len(missing))
            for future in [pool.submit(draw_building, name, files[name], config) for name in missing]:
                future.result()
                bar.advance(task)
    return [load_views(file) for file in files.values()]


def draw_building(name: str, file: Path, config: ViewConfig) -> None:
    """Views of one building, to a file; one in five stands open to the sky, as worlds of simulators often do."""
    world, seed = load_world(name), building_name(name).seed
    save_views(file, take_views(world if seed % 5 != 4 else replace(world, interior=None), config, seed))


def train_scans(job: ScanOptions) -> None:
    """`ami scans`: corridors and buildings -> drives -> fits of scans -> a network that tells which are right.

    Raises:
        AmiError: there is nothing to learn from, or a building is for tests.
    """
    if not job.corridors + job.buildings:
        raise AmiError("scans: give --corridors or --buildings to learn from")
    console, began = Console(emoji=False, stderr=True), time.monotonic()
    torch.set_num_threads(job.workers or len(os.sched_getaffinity(0)))
    kinds = {"corridors": job.corridors, "buildings": job.buildings}
    learned = [(kind, job.first + k) for kind, count in kinds.items() for k in range(count)]
    kept = [(kind, job.first + count + k) for kind, count in kinds.items() for k in range(job.held_out)]
    for kind, number in learned:
        if kind == "buildings":
            refuse_test_buildings(f"{PREFIX}{number}", "scans")
    drawn = _fits(job, learned + kept, console)
    pairs = joined_pairs(drawn[: len(learned)])
    torch.manual_seed(job.seed)
    network, config = torch_layers.network(ScanPairNetwork), ScanConfig(steps=job.steps, seed=job.seed)
    keep, what = job.out / "scans_so_far.safetensors", "learning which fits are right"
    _learn(what, job.steps, console, lambda report: fit_scans(network, pairs, config, report, keep))
    save_network(job.out / WEIGHTS, network)
    keep.unlink(missing_ok=True)
    shutil.rmtree(job.out / DRIVES, ignore_errors=True)
    split = np.array_split(np.arange(len(learned), len(drawn)), len(kinds))
    found = {
        kind: asdict(judge_scans(network, joined_pairs([drawn[k] for k in rows])))
        for kind, rows in zip(kinds, split, strict=True)
    }
    known = {**kinds, "fits": len(pairs), "steps": job.steps, "seed": job.seed}
    _tell_quality("held out", found, known, job.json, began, console)
    console.print(f"the network is in {job.out}")


def _fits(job: ScanOptions, asked: list[tuple[str, int]], console: Console) -> list[FittedPairs]:
    """The fits of each, in order; those that are on disk, of a run that was stopped, are not driven again."""
    folder = job.out / DRIVES
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{kind}_{number}_{job.seed}.npz" for kind, number in asked]
    missing = [k for k, file in enumerate(files) if not file.exists()]
    with goes_on_later(console), progress_bar(console) as bar:
        task = bar.add_task("driving twice", total=len(asked), completed=len(asked) - len(missing))
        if missing:
            with worker_pool(min(job.workers or len(os.sched_getaffinity(0)), len(missing))) as pool:
                for future in [pool.submit(_drive, *asked[k], job.seed, files[k]) for k in missing]:
                    future.result()
                    bar.advance(task)
    found = []
    for file in files:
        with np.load(file, allow_pickle=False) as kept:
            found.append(FittedPairs(**kept))
    return found


def _drive(kind: str, number: int, seed: int, file: Path) -> None:
    """The fits of one, into a file that is there once it is whole."""
    rng = np.random.default_rng((seed, number, len(kind)))
    torch.set_num_threads(1)
    if kind == "corridors":
        fits = corridor_pairs(draw_corridors(rng), rng)
    else:
        fits = building_pairs(load_world(f"{PREFIX}{number}"), rng)
    partial = file.with_name(f".{file.name}.{os.getpid()}.npz")
    np.savez(partial, **vars(fits))
    os.replace(partial, file)


def _learn(what: str, steps: int, console: Console, fit: Callable[[Callable[[int, float], None]], None]) -> None:
    """Calls `fit` with what takes step and loss, beside a bar."""
    with goes_on_later(console), reporting(what, steps, console) as report:
        fit(report)


def _tell_quality(
    title: str, found: Mapping[str, Mapping[str, float]], known: Mapping[str, Any], json: Path | None, began: float,
    console: Console,
) -> None:  # fmt: skip
    """Prints figures of what was held out, a column for each kind of it, and writes them with what is `known`.

    Args:
        title: of the table.
        found: figures by name, of each kind; in JSON their names begin with the first word of the kind.
        known: of the run.
        json: where to write; None: nowhere.
        began: when learning did, on the steady clock [s].
        console: where to print.
    """
    table = Table(title, *found, box=None, padding=(0, 3, 0, 0))
    for name in next(iter(found.values())):
        table.add_row(name, *(f"{column[name]:.3g}" for column in found.values()))
    console.print(table)
    if json is not None:
        figures = {f"{kind.split()[0]}_{name}": v for kind, column in found.items() for name, v in column.items()}
        write_json(json, {**known, **figures, "minutes": round((time.monotonic() - began) / 60, 2)} | hardware())
