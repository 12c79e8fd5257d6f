"""What a map costs as it grows: one long drive through a site, timed where the map has so many places.

The front end, loop closer, pose graph, store and search are those of a robot's memory. A drive of 100,000 places takes
a day: where it is not driven whole, copies of the map are laid out beside it (`lay_out`), and the drive goes on.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ami_ros.behaviour.occupancy import CELL, Grid
from ami_ros.behaviour.task import WorldState
from ami_ros.behaviour.unexplored import ExplorationConfig, Unexplored
from ami_ros.behaviour.ways import Ways
from ami_ros.bench.logs import aligned_error, false_constraints, laser_config, laser_memory, with_drift
from ami_ros.core.background import finished
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.core.installation import importing
from ami_ros.memory.coverage import gaussian_sums
from ami_ros.memory.index import Hypothesis
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.loop_closure import LoopCloser
from ami_ros.memory.next_best_view import next_best_views
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.recognition import RECOGNITION
from ami_ros.memory.types import Edge, GoalQuery, PlaceQuery, SearchState
from ami_ros.simulation.corridors import Site
from ami_ros.world_model.learning.scan_training import Laser
from ami_ros.world_model.model_files import write_atomically

with importing("report"):
    import psutil

Seconds = tuple[float, float]  # by the clock, and of CPU time
LASER = Laser(180, 2 * np.pi, 12.0, 0.01)
QUESTIONS = 60  # of each kind


def milliseconds(took: Sequence[Seconds], name: str = "") -> dict[str, float]:
    """How long something took: p50, p95 and most, of the clock and of this thread's CPU time: what a machine costs that
    does nothing else."""
    found: dict[str, float] = {}
    for kind, values in zip(("", "cpu_"), 1e3 * np.array(took or [(0.0, 0.0)]).T, strict=True):
        p50, p95 = np.percentile(values, [50, 95])
        found |= {f"{kind}p50": p50, f"{kind}p95": p95, f"{kind}max": values.max()}
    return {f"{name}_ms_{key}" if name else key: round(float(value), 2) for key, value in found.items()}


@dataclass(frozen=True)
class Drive:
    """A way through a site, and what the wheels make of it."""

    seed: int
    site: Site
    truth: Array  # (n, 3)
    odometry: Array  # (n, 3)

    @classmethod
    def drawn(cls, seed: int, site: Site, length: int) -> Drive:
        """With at least `length` scans."""
        parts: list[Array] = []
        for part in site.drive():
            parts.append(part)
            if sum(map(len, parts)) >= length:
                break
        truth = np.concatenate(parts)
        return cls(seed, site, truth, with_drift(truth, 0.03, np.random.default_rng([seed, 1])))


class Session:
    """One memory that lives through a drive. `memory.close` it.

    Args:
        drive: see there.
        file: of the memory.
    """

    def __init__(self, drive: Drive, file: Path) -> None:
        self.drive, self.at = drive, 0
        self._rng = np.random.default_rng([drive.seed, 2])
        self.memory = PlaceMemory(LaserModel(), ENCODER, file, replace(laser_config(), max_places=1_000_000))
        self.founded: dict[int, int] = {}  # place id -> scan
        self.scans: list[Seconds] = []  # [s] each, wall and CPU
        self.idle: list[Seconds] = []
        self.lost = 0

    def step(self) -> None:
        """One scan, and the idle moments after it."""
        index = self.memory.map.index
        if self.at >= len(self.drive.truth):
            raise AmiError("bench scale: the drive is over before the map is as large as asked for")
        pose, known = self.drive.truth[self.at], len(index)
        scan = LASER.scan(self.drive.site.plan(pose[:2]), pose, self._rng)
        self.scans.append(
            timed(lambda: self.memory.observe(0.3 * self.at, None, self.drive.odometry[self.at], scan=scan))
        )
        for place in index.ids[known:].tolist():
            self.founded[place] = self.at
        for _ in range(3):  # a robot has some 200 ms
            more: list[bool] = []
            took = timed(lambda: more.append(self.memory.prepare()))  # noqa: B023
            if not more[0]:
                break
            self.idle.append(took)
        self.lost += not self.memory.front_end.here
        self.at += 1

    def is_at_place(self) -> bool:
        """Whether the robot is so near to a place that a route may begin there."""
        places, front_end = self.memory.map, self.memory.front_end
        return front_end.here > 0 and len(places.near(front_end.pose[:2], places.graph.config.reach)) > 0

    def constraints(self) -> tuple[int, int]:
        """Loop constraints between places that were founded here, and how many of them are false."""
        edges = self.memory.map.graph.edges.columns
        edges = edges[(edges["loop"] > 0)]
        known = [e for e in edges if int(e["start"]) in self.founded and int(e["stop"]) in self.founded]
        if not known:
            return 0, 0
        a, b = (self.drive.truth[[self.founded[int(e[k])] for e in known]] for k in ("start", "stop"))
        measured = np.array([[e[k] for k in ("x", "y", "yaw")] for e in known])
        return len(known), int(false_constraints([a, b], measured).sum())

    def map_error(self) -> float:
        """Root mean square of the places that were driven to, after alignment [m]."""
        index = self.memory.map.index
        ids = [i for i in self.founded if i in index]
        if len(ids) < 3:
            return 0.0
        poses, truth = index.poses[[index.row(i) for i in ids]], self.drive.truth[[self.founded[i] for i in ids]]
        return float(np.sqrt(np.square(aligned_error(poses, truth)).mean()))


def lay_out(memory: PlaceMemory, places: int) -> None:
    """Adds copies of the map beside it, until it has at least so many places."""
    known, store = memory.map, memory.map.store
    store.wait()
    rows, edges = list(known.details.values()), list(known.graph.edges.values())
    seen = store.experience([row.id for row in rows])
    stride, first, last = max(row.id for row in rows), rows[0], rows[-1]
    drop = float(np.ptp(known.index.poses[:, 1])) + 60.0  # [m] between copies
    covariance = np.diag([0.5**2, 0.5**2, 0.05**2])  # of the way between two copies [m, rad]
    down = np.array([0.0, drop, 0.0])
    for k in range(1, -(-places // len(rows))):
        more = k * stride
        joint = Edge(
            first.id + more - stride,
            last.id + more,
            relative(first.pose, last.pose - down),
            1,
            60.0,
            0,
            0.0,
            covariance,
        )
        known.adopt(
            [replace(r, id=r.id + more, pose=r.pose - k * down, experience=seen.get(r.id)) for r in rows],
            [*(replace(e, start=e.start + more, stop=e.stop + more) for e in edges), joint],
        )
    memory.warm_up()
    store.flush()


def measure_all(
    places: int, driven: int, scans: int, area: float, seed: int, scratch: Path | None, chart: Path | None,
    console: Console,
) -> dict[str, Any]:  # fmt: skip
    """Figures of maps of more and more places, and of choosing where to explore; see `command.scale`."""
    sizes = [driven]
    while sizes[-1] < places:
        sizes.append(min(10 * sizes[-1], places))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="ami_bench_", dir=scratch) as name, console.status("drawing") as status:
        session = Session(Drive.drawn(seed, Site(seed), 6 * driven + len(sizes) * scans), Path(name) / "site.memory")
        with closing(session.memory) as memory:
            for size in sizes:
                while len(memory) < min(size, driven) or not memory.front_end.here:
                    session.step()
                    status.update(f"driving: {len(memory)} of {driven} places")
                status.update(f"{size} places: {scans} scans and some questions")
                lay_out(memory, size)
                row, copy = measure(session, scans), Path(name) / "copy.memory"
                memory.save(copy, overwrite=True)
                with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                    rows.append(row | pool.submit(_open, copy).result())
                took = (row[f"scan_ms_{which}"] for which in ("p50", "p95", "max"))
                console.print(
                    "{} places: a scan {:.0f}, {:.0f}, {:.0f} ms (p50, p95, max)".format(row["places"], *took)
                )
        choice = choices(Drive.drawn(seed, Site(seed), round(3 * area)), area, status.update)
    table = Table("places", *(str(row["places"]) for row in rows), box=None, padding=(0, 3, 0, 0))
    for key in list(rows[0])[1:]:
        table.add_row(key.replace("_", " "), *(f"{row[key]}" for row in rows))
    console.print(table)
    console.print(
        "choosing where to explore in {:.0f} m²: {p50:.0f}, {p95:.0f}, {max:.0f} ms (p50, p95, max; of CPU time "
        "{cpu_p50:.0f}, {cpu_p95:.0f}, {cpu_max:.0f})".format(area, **choice)
    )
    if chart is not None:
        draw(chart, rows)
        console.print(f"the chart is {chart}")
    return {"sizes": rows, "area_m2": area, "choice_ms": choice}


def draw(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Time and memory over places."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = {
        "a scan, p95": "scan_ms_p95", "a scan, longest": "scan_ms_max", "loop search, p95": "loop_search_ms_p95",
        "the whole graph solved": "optimise_ms_p50", "a route, p95": "route_ms_p95",
        "a view to look from, p95": "view_ms_p95", "a frontier, p95": "frontier_ms_p95",
        "places by a latent, p95": "recall_ms_p95",
    }  # fmt: skip
    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    time_axes, space = figure.subplots(1, 2, width_ratios=[3, 2])
    for axes, shown in ((time_axes, lines), (space, {"the process": "rss_mb", "the file": "file_mb"})):
        for label, key in shown.items():
            axes.plot([row["places"] for row in rows], [row[key] for row in rows], marker="o", label=label)
    time_axes.set(xscale="log", yscale="log", xlabel="places", ylabel="ms")
    time_axes.legend(frameon=False, fontsize=7, ncols=2)
    space.set(xscale="log", xlabel="places", ylabel="MB", ylim=(0, None))
    space.legend(frameon=False, fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, picture.getvalue())


def _open(file: Path) -> dict[str, float]:
    """How long it takes from a file to the first answer [s], and what the process has then [MB]."""
    began = time.perf_counter()
    with closing(laser_memory(file)) as memory:
        memory.warm_up()
        memory.recall(PlaceQuery(latent=memory.map.index.latents[0]))
        took, rss = time.perf_counter() - began, psutil.Process().memory_info().rss / 1e6
        return {"start_s": round(took, 2), "rss_mb": round(rss, 1)}


def measure(session: Session, scans: int) -> dict[str, Any]:
    """Drives so many scans more in the map as it is; asks questions then, searches for loops, and optimises. What the
    map costs: of a scan as a caller waits for it, a slice of work in an idle moment, all of the loop search for one
    place, all of the pose graph, `find_route` right after the map has changed and to where no way is known, a view to
    look for a picture from, places by a latent; after how many scans it was lost, and its constraints."""
    session.scans.clear()
    session.idle.clear()
    session.lost = 0
    for _ in range(scans):
        session.step()
    while not session.is_at_place():  # from farther off a route may not begin, and a question costs nothing
        session.step()
    memory, rng = session.memory, np.random.default_rng([session.drive.seed, 3])
    index, graph, closer = memory.map.index, memory.map.graph, memory.front_end.loop_closure
    made, wrong = session.constraints()
    error = session.map_error()
    idle, busy = (sum(cpu for _, cpu in each) for each in (session.idle, session.scans + session.idle))
    search = [timed(partial(_search, closer, i)) for i in list(session.founded)[-QUESTIONS:]]
    route, view, frontier, recall = [], [], [], []
    for k in rng.integers(len(index), size=QUESTIONS).tolist():
        graph.added()  # as after each new place: what was prepared for searching has to be made anew
        route.append(timed(partial(_ask_route, memory, GoalQuery(place_id=int(index.ids[k])))))
        view.append(timed(partial(_ask_view, memory, k, rng)))
        frontier.append(timed(partial(_ask_route, memory, GoalQuery(pose=index.poses[k] + [0.0, 5.0, 0.0]))))
        recall.append(timed(partial(memory.recall, PlaceQuery(latent=index.latents[k]))))
    optimise = [timed(memory.optimise)]
    memory.map.store.flush()
    return {
        "places": len(memory), "scans": len(session.scans), **milliseconds(session.scans, "scan"),
        **milliseconds(session.idle, "idle"), "idle_share": round(idle / busy, 3),
        **milliseconds(search, "loop_search"), **milliseconds(optimise, "optimise"), **milliseconds(route, "route"),
        **milliseconds(view, "view"), **milliseconds(frontier, "frontier"), **milliseconds(recall, "recall"),
        "file_mb": round(memory.map.store.size() / 1e6, 1), "lost": session.lost, "constraints": made,
        "false_constraints": wrong, "map_error_m": round(error, 3),
    }  # fmt: skip


def _search(closer: LoopCloser, place_id: int) -> None:
    finished(closer.look(place_id))


def _ask_route(memory: PlaceMemory, goal: GoalQuery) -> None:
    with suppress(AmiError):  # places that were founded while the robot was lost may be an island
        memory.find_route(goal)


def _ask_view(memory: PlaceMemory, row: int, rng: np.random.Generator) -> None:
    """A picture that was taken at a place, and that many others show a little: a memory of scans has no pictures."""
    places, graph, robot = memory.map.index.poses, memory.map.graph, memory.front_end.pose
    spoken = places[rng.integers(len(places), size=RECOGNITION.compared)]
    spoken[: RECOGNITION.compared // 2, :2] = places[row, :2] + rng.normal(0.0, 1.0, (RECOGNITION.compared // 2, 2))
    evidence = partial(
        gaussian_sums, others=spoken[:, :2], values=rng.random(RECOGNITION.compared) ** 8, deviation=RECOGNITION.blur
    )
    assert graph.free is not None
    next_best_views(
        [Hypothesis(places[row], 0.3)], places, robot, partial(graph.lengths, robot), evidence,
        SearchState(reach=90.0), graph.free.beyond,
    )  # fmt: skip


def timed(work: Callable[[], object]) -> Seconds:
    """Its wall and CPU time [s]."""
    began, cpu = time.perf_counter(), time.thread_time()
    work()
    return time.perf_counter() - began, time.thread_time() - cpu


def choices(drive: Drive, area: float, said: Callable[[str], None]) -> dict[str, float]:
    """Of a robot on the newest part of its way through a site, as soon as it has seen `area` [m²] of free floor.

    Args:
        drive: see there.
        area: see above.
        said: takes what is going on.

    Raises:
        AmiError: the drive is over before.
    """
    grid, rng, poses = Grid(drive.truth[0]), np.random.default_rng([drive.seed, 4]), drive.truth
    for count, pose in enumerate(poses, 1):
        grid.add(pose, LASER.scan(drive.site.plan(pose[:2]), pose, rng))
        if count % 10 == 0:
            seen = float((grid.odds < -0.2).sum()) * CELL**2
            said(f"seeing {area:.0f} m²: {seen:.0f}")
            if seen >= area and count >= QUESTIONS:
                break
    else:
        raise AmiError("bench scale: the drive is over before as much floor is seen as asked for")
    places, found = poses[:count], []
    _choose(grid, places, places[-1])  # works out what the robot fits into, which it has done on the way
    for pose in reversed(places[-QUESTIONS:]):
        grid.add(pose, LASER.scan(drive.site.plan(pose[:2]), pose, rng))
        found.append(timed(lambda: _choose(grid, places, pose)))  # noqa: B023
    return milliseconds(found)


def _choose(grid: Grid, places: Array, pose: Array) -> None:
    config = ExplorationConfig(known=1e3)  # [m]; so it looks for views that are missing, too: that costs most
    state = WorldState(0.0, odometry=pose, places=places)
    ways = Ways(grid, pose, config.robot_radius)
    chosen = Unexplored(config, closely=True).choose(state, pose, ways)
    if chosen is not None:
        way = ways.to(chosen[0])
        ways.onward(way, config.sight)
