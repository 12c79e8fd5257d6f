"""What a map costs as it grows: one long drive through a site, timed where the map has so many places."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ami_ros.behaviour.occupancy import CELL, Grid
from ami_ros.behaviour.task import WorldState
from ami_ros.behaviour.unexplored import ExplorationConfig, Unexplored
from ami_ros.behaviour.ways import Ways
from ami_ros.bench.logs import WRONG, aligned_error, laser_config, with_drift
from ami_ros.core.background import finished
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, pose_gap, relative
from ami_ros.core.installation import importing
from ami_ros.memory.coverage import gaussian_sums
from ami_ros.memory.index import Hypothesis
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.loop_closure import LoopCloser
from ami_ros.memory.next_best_view import next_best_views
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.recognition import BLUR, COMPARED
from ami_ros.memory.types import Edge, GoalQuery, PlaceQuery, SearchState
from ami_ros.simulation.corridors import Site
from ami_ros.world_model.learning.scan_training import Laser

# What a map costs as it grows: one long drive through a site, timed where the map has so many places.
#
# The front end, loop closer, pose graph, store and search are those of a robot's memory. A drive of 100,000 places
# takes a day: where it is not driven whole, copies of the map are laid out beside it (`lay_out`), and the drive goes
# on.

with importing("report"):
    import psutil

DRIFT = 0.03  # of the wheels; see `with_drift`
LASER = Laser(180, 2 * np.pi, 12.0, 0.01)
MARGIN = 60.0  # [m] between copies of a map
JOINT = np.diag([0.5**2, 0.5**2, 0.05**2])  # covariance of the way between two copies [m, rad]
MOST = 1_000_000  # places, so that the robot learns in the largest map, too
IDLE = 3  # idle moments between two scans; a robot has some 200 ms
QUESTIONS = 60  # of each kind
SEARCHED = 90.0  # [m] that a robot drives in the five minutes that a far goal has
OFF_MAP = np.array([0.0, 5.0, 0.0])  # from a place to where no way is known [m]


@dataclass(frozen=True)
class Milliseconds:
    """How long something took."""

    p50: float
    p95: float
    max: float
    cpu_p50: float  # the same of this thread's CPU time: what a machine costs that does nothing else
    cpu_p95: float
    cpu_max: float

    @classmethod
    def of(cls, seconds: list[tuple[float, float]]) -> Milliseconds:
        """Of wall and CPU times."""
        values = 1e3 * np.array(seconds or [(0.0, 0.0)]).T
        each = ((*np.percentile(v, [50, 95]), v.max()) for v in values)
        return cls(*(round(float(v), 2) for v in itertools.chain.from_iterable(each)))


@dataclass(frozen=True)
class ScaleFigures:
    """What a map of so many places costs."""

    places: int
    scans: int  # that were timed
    scan: Milliseconds  # one, as a caller waits for it
    idle: Milliseconds  # a slice of work in an idle moment
    idle_share: float  # of all the work
    loop_search: Milliseconds  # for one place, all of it
    optimise: Milliseconds  # the pose graph, all of it
    route: Milliseconds  # `find_route` right after the map has changed
    view: Milliseconds  # from where to look for a picture next, as who searches asks for it
    frontier: Milliseconds  # `find_route` to where no way is known
    recall: Milliseconds  # places by a latent
    file_mb: float
    lost: int  # scans after which the robot did not know where it was
    constraints: int  # between places that were driven to ...
    false_constraints: int
    map_error_m: float  # root mean square of these places, after alignment
    start_s: float = 0.0  # from the file to the first answer, in a new process
    rss_mb: float = 0.0  # that it has then

    def to_json(self) -> dict[str, object]:
        """Flat: `scan_ms_p95`, ..."""
        row: dict[str, object] = {}
        for name, value in asdict(self).items():
            row |= {f"{name}_ms_{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
        return row


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
        return cls(seed, site, truth, with_drift(truth, DRIFT, np.random.default_rng([seed, 1])))


class Session:
    """One memory that lives through a drive. `memory.close` it.

    Args:
        drive: see there.
        file: of the memory.
    """

    def __init__(self, drive: Drive, file: Path) -> None:
        self.drive, self.at = drive, 0
        self._rng = np.random.default_rng([drive.seed, 2])
        self.memory = PlaceMemory(LaserModel(), ENCODER, file, replace(laser_config(), max_places=MOST))
        self.founded: dict[int, int] = {}  # place id -> scan
        self.scans: list[tuple[float, float]] = []  # [s] each, wall and CPU
        self.idle: list[tuple[float, float]] = []
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
        for _ in range(IDLE):
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
        wrong = np.greater(pose_gap(relative(a, b), measured), np.reshape(WRONG, (2, 1))).any(0)
        return len(known), int(wrong.sum())

    def map_error(self) -> float:
        """[m], see `ScaleFigures`."""
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
    drop = float(np.ptp(known.index.poses[:, 1])) + MARGIN
    down = np.array([0.0, drop, 0.0])
    for k in range(1, -(-places // len(rows))):
        more = k * stride
        joint = Edge(
            first.id + more - stride, last.id + more, relative(first.pose, last.pose - down), 1, 60.0, 0, 0.0, JOINT
        )
        known.adopt(
            [replace(r, id=r.id + more, pose=r.pose - k * down, experience=seen.get(r.id)) for r in rows],
            [*(replace(e, start=e.start + more, stop=e.stop + more) for e in edges), joint],
        )
    memory.warm_up()
    store.flush()


def opened(file: Path) -> tuple[float, float]:
    """How long it takes from a file to the first answer [s], and what the process has then [MB]; in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_open, file).result()


def _open(file: Path) -> tuple[float, float]:
    began = time.perf_counter()
    memory = PlaceMemory(LaserModel(), ENCODER, file, laser_config())
    try:
        memory.warm_up()
        memory.recall(PlaceQuery(latent=memory.map.index.latents[0]))
        return time.perf_counter() - began, psutil.Process().memory_info().rss / 1e6
    finally:
        memory.close()


def measure(session: Session, scans: int) -> ScaleFigures:
    """Drives so many scans more in the map as it is; asks questions then, searches for loops, and optimises."""
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
    error, busy = session.map_error(), _cpu(session.scans) + _cpu(session.idle)
    search = [timed(partial(_search, closer, i)) for i in list(session.founded)[-QUESTIONS:]]
    route, view, frontier, recall = [], [], [], []
    for k in rng.integers(len(index), size=QUESTIONS).tolist():
        graph.added()  # as after each new place: what was prepared for searching has to be made anew
        route.append(timed(partial(_ask_route, memory, GoalQuery(place_id=int(index.ids[k])))))
        view.append(timed(partial(_ask_view, memory, k, rng)))
        frontier.append(timed(partial(_ask_route, memory, GoalQuery(pose=index.poses[k] + OFF_MAP))))
        recall.append(timed(partial(memory.recall, PlaceQuery(latent=index.latents[k]))))
    optimise = [timed(memory.optimise)]
    memory.map.store.flush()
    return ScaleFigures(
        places=len(memory), scans=len(session.scans), scan=Milliseconds.of(session.scans),
        idle=Milliseconds.of(session.idle), idle_share=round(_cpu(session.idle) / busy, 3),
        loop_search=Milliseconds.of(search), optimise=Milliseconds.of(optimise), route=Milliseconds.of(route),
        view=Milliseconds.of(view), frontier=Milliseconds.of(frontier), recall=Milliseconds.of(recall),
        file_mb=round(memory.map.store.size() / 1e6, 1), lost=session.lost, constraints=made,
        false_constraints=wrong, map_error_m=round(error, 3),
    )  # fmt: skip


def _search(closer: LoopCloser, place_id: int) -> None:
    finished(closer.look(place_id))


def _ask_route(memory: PlaceMemory, goal: GoalQuery) -> None:
    with suppress(AmiError):  # places that were founded while the robot was lost may be an island
        memory.find_route(goal)


def _ask_view(memory: PlaceMemory, row: int, rng: np.random.Generator) -> None:
    """A picture that was taken at a place, and that many others show a little: a memory of scans has no pictures."""
    places, graph, robot = memory.map.index.poses, memory.map.graph, memory.front_end.pose
    spoken = places[rng.integers(len(places), size=COMPARED)]
    spoken[: COMPARED // 2, :2] = places[row, :2] + rng.normal(0.0, 1.0, (COMPARED // 2, 2))
    evidence = partial(gaussian_sums, others=spoken[:, :2], values=rng.random(COMPARED) ** 8, deviation=BLUR)
    assert graph.free is not None
    next_best_views(
        [Hypothesis(places[row], 0.3)], places, robot, partial(graph.lengths, robot), evidence,
        SearchState(reach=SEARCHED), graph.free.beyond,
    )  # fmt: skip


def _cpu(times: list[tuple[float, float]]) -> float:
    return sum(cpu for _, cpu in times)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Its wall and CPU time [s]."""
    began, cpu = time.perf_counter(), time.thread_time()
    work()
    return time.perf_counter() - began, time.thread_time() - cpu


# What it costs to choose where to explore next, in a map of so many square metres.

LOOKS = 10  # scans between two looks at how large the map is
CHOICES = 60  # that are timed, along as much of the way
NOTHING_NEW = ExplorationConfig(known=1e3)  # [m]; so it looks for views that are missing, too: that costs most


def choices(drive: Drive, area: float, said: Callable[[str], None]) -> Milliseconds:
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
        if count % LOOKS == 0:
            seen = float((grid.odds < -0.2).sum()) * CELL**2
            said(f"seeing {area:.0f} m²: {seen:.0f}")
            if seen >= area and count >= CHOICES:
                break
    else:
        raise AmiError("bench scale: the drive is over before as much floor is seen as asked for")
    places, found = poses[:count], []
    _choose(grid, places, places[-1])  # works out what the robot fits into, which it has done on the way
    for pose in reversed(places[-CHOICES:]):
        grid.add(pose, LASER.scan(drive.site.plan(pose[:2]), pose, rng))
        found.append(timed(lambda: _choose(grid, places, pose)))  # noqa: B023
    return Milliseconds.of(found)


def _choose(grid: Grid, places: Array, pose: Array) -> None:
    config, state = NOTHING_NEW, WorldState(0.0, odometry=pose, places=places)
    ways = Ways(grid, pose, config.robot_radius)
    chosen = Unexplored(config, closely=True).choose(state, pose, ways)
    if chosen is not None:
        way = ways.to(chosen[0])
        ways.onward(way, config.sight)
