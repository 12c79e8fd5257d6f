"""How well a robot comes to know a world: it explores from an empty memory, is switched off and on, and is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.expedition import Belief, Expedition
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.map_quality import RIGHT, frame_of, is_right, judge, measure_map
from ami_ros.evaluation.rates import wilson_interval
from ami_ros.geometry import Array, compose, pose_gap
from ami_ros.places.questions import locate
from ami_ros.places.types import GoalQuery
from ami_ros.simulation.exploration import PERIOD
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.slam.place_memory import PlaceMemory
from ami_ros.world_model.checkpoint import LoadedModel

Progress = Callable[[int, int], None]  # done, of so many

COLD_MOTION = 3.0  # [s] after which a robot that was switched on somewhere should know where
COLD_WATCHED = 10.0  # [s] that each cold start is watched
KIDNAP_DISTANCE = 2.0  # [m] that a kidnapped robot is carried, at least
KIDNAP_WATCHED = 20.0  # [s]
SETTLED = 2.0  # [s] that a robot must be right and sure of it, to count as having found itself
FRAME_EVERY = 25  # moments between two looks at where the map lies, which optimising moves


@dataclass(frozen=True)
class Judged:
    """Moments, and which of them were right."""

    moments: list[Belief]
    right: list[bool]

    def found_after(self) -> float:
        """Seconds until the robot was right and sure of it for SETTLED; inf if it never was."""
        good = [r and m.location.localised for m, r in zip(self.moments, self.right, strict=True)]
        count = round(SETTLED / PERIOD)
        for k in range(len(good) - count + 1):
            if all(good[k : k + count]):
                return self.moments[k].time - self.moments[0].time
        return float("inf")

    def fooled(self) -> float:
        """Seconds during which the robot was sure of a wrong place."""
        pairs = zip(self.moments, self.right, strict=True)
        return PERIOD * sum(m.location.localised and not r for m, r in pairs)


def drive(expedition: Expedition, space: FreeSpace, seconds: float, progress: Progress | None = None) -> Judged:
    """Explores on, judging each moment by where the map lies then."""
    moments: list[Belief] = []
    right: list[bool] = []
    total = round(seconds / PERIOD)
    for k in range(total):
        if k % FRAME_EVERY == 0:
            frame = frame_of(expedition.memory, expedition.truths)
        moments.append(expedition.step())
        right.append(is_right(moments[-1].location.pose, moments[-1].truth, frame, space))
        if progress and (k % FRAME_EVERY == 0 or k + 1 == total):
            progress(k + 1, total)
    return Judged(moments, right)


def cold_starts(expedition: Expedition, space: FreeSpace, count: int, progress: Progress) -> Iterator[Judged]:
    """The robot is switched on at random poses, without a pose and with a new origin of odometry."""
    for k in range(count):
        expedition.begin(space.sample_pose(expedition.rng))
        yield drive(expedition, space, COLD_WATCHED)
        progress(k + 1, count)


def kidnappings(expedition: Expedition, space: FreeSpace, count: int, progress: Progress) -> Iterator[Judged]:
    """A robot that knows where it is gets carried elsewhere while it looks away, again and again."""
    expedition.begin(space.sample_pose(expedition.rng))
    drive(expedition, space, KIDNAP_WATCHED)
    for k in range(count):
        here = expedition.robot.ground_truth().pose
        there = here
        for _ in range(100):
            if np.hypot(*(there - here)[:2]) >= KIDNAP_DISTANCE:
                break
            there = space.sample_pose(expedition.rng)
        expedition.kidnap(there)
        yield drive(expedition, space, KIDNAP_WATCHED)
        progress(k + 1, count)


def goals_placed(expedition: Expedition, space: FreeSpace, count: int, progress: Progress) -> Array:
    """Error (count, 2) [m], [rad] of where memory places pictures taken at random poses; inf where it knows nothing."""
    frame = frame_of(expedition.memory, expedition.truths)
    errors = np.full((count, 2), np.inf)
    for k in range(count):
        pose = space.sample_pose(expedition.rng)
        image, perception = expedition.loop.photograph(pose), expedition.loop.perception
        goal = GoalQuery(latent=perception.encode_goal(image), picture=perception.encode_picture(image))
        progress(k + 1, count)
        try:
            placed, _ = locate(expedition.memory.map, goal, 0, np.zeros(3))
        except AmiError:
            continue
        errors[k] = pose_gap(compose(frame, placed), pose)
    return errors


Figures = dict[str, float | None]
Curve = list[tuple[float, float, int]]  # confidence, share right, moments
Report = Callable[[str, int, int], None]  # what is going on, done, of so many

STREAM = 0x91ACE5  # keeps the random numbers apart from those of recorded runs, whatever the seed
KIDNAP_PATIENCE = 10.0  # [s] within which a kidnapped robot should have found itself


@dataclass(frozen=True)
class Settings:
    """How long and how often."""

    minutes: float = 15.0  # of exploration from an empty memory
    starts: int = 60  # from cold
    goals: int = 200  # pictures of random poses
    kidnappings: int = 20
    hours: float = 0.0  # of further driving, after which map and cold starts are measured again
    seed: int = 0
    loop: LoopConfig = field(default_factory=LoopConfig)


class PlaceBench:
    """One run. Several have nothing in common but the world.

    Args:
        loaded: the model.
        make_robot: makes the robot with the random numbers of a seed.
        settings: see there.
        file: of the memory; must not exist.
        report: is told how far it is.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        make_robot: Callable[[int], Simulator],
        settings: Settings,
        file: Path,
        report: Report,
    ) -> None:
        self.loaded, self.settings, self.file, self.report = loaded, settings, file, report
        self.rng = np.random.default_rng([settings.seed, STREAM])
        self.robot = make_robot(int(self.rng.integers(2**31)))
        self.space = FreeSpace(self.robot.world)
        self.truths: dict[int, np.ndarray] = {}
        self.curves: dict[str, Curve] = {}  # how reliable confidence was, by the part of the run

    def run(self) -> Figures:
        """All figures, by names that carry the unit; None where there is none."""
        figures: Figures = {"free_area_m2": self.space.area}
        figures |= self._explore() | self._try_cold() | self._place_goals() | self._kidnap()
        if self.settings.hours:
            figures |= self._drive_on()
            figures |= {f"later_{name}": value for name, value in self._try_cold().items()}
        return figures

    def _open(self, learning: bool) -> Expedition:
        """The memory as it is on disk, on a robot that was just switched on."""
        config = replace(self.settings.loop.agent.memory, learning=learning)
        memory = PlaceMemory(self.loaded.model, self.loaded.encoder_id, self.file, config)
        return Expedition(self._loop(memory), self.rng, self.truths)

    def _loop(self, memory: PlaceMemory) -> ClosedLoop:
        return ClosedLoop(self.loaded, self.robot, memory, self.settings.loop, self.settings.seed)

    def _explore(self) -> Figures:
        expedition = self._open(learning=True)
        expedition.begin(self.space.sample_pose(self.rng))
        total = round(self.settings.minutes * 60 / PERIOD)
        for k in range(total):
            expedition.step()
            self.report("exploring", k + 1, total)
        figures = self._map_figures(expedition)
        expedition.memory.close()
        return figures

    def _map_figures(self, expedition: Expedition, before: str = "") -> Figures:
        found = measure_map(expedition.memory, self.truths, self.space)
        expedition.memory.map.store.flush()
        return {
            f"{before}file_mb": expedition.memory.map.store.size() / 1e6,
            f"{before}places": found.places,
            f"{before}edges": found.edges,
            f"{before}false_edges": found.false_edges,
            f"{before}false_edge_share": found.false_edges / max(1, found.edges),
            f"{before}map_error_median_m": found.error_median,
            f"{before}map_error_p99_m": found.error_p99,
            f"{before}coverage_share": found.coverage,
        }

    def _try_cold(self) -> Figures:
        expedition = self._open(learning=False)
        report = self._reporter("cold starts")
        tried = list(cold_starts(expedition, self.space, self.settings.starts, report))
        expedition.memory.close()
        at = round(COLD_MOTION / PERIOD)
        right = sum(t.right[at] for t in tried)
        low, high = wilson_interval(right, len(tried))
        figures: Figures = {
            "cold_starts": len(tried),
            "cold_right_after_3_s_share": right / len(tried),
            "cold_right_after_3_s_low_share": low,
            "cold_right_after_3_s_high_share": high,
        }
        return figures | _times("cold_found", [t.found_after() for t in tried]) | self._honesty("cold", tried)

    def _place_goals(self) -> Figures:
        expedition = self._open(learning=False)
        error = goals_placed(expedition, self.space, self.settings.goals, self._reporter("goal pictures"))
        expedition.memory.close()
        return {
            "goals": len(error),
            "goal_right_share": float((error < RIGHT).all(axis=1).mean()),
            "goal_error_median_m": _finite(np.median(error[:, 0])),
            "goal_error_median_rad": _finite(np.median(error[:, 1])),
        }

    def _kidnap(self) -> Figures:
        """In a copy: what the memory learns while it is fooled shall not spoil what is measured later."""
        memory = PlaceMemory.copy_of(
            self.loaded.model, self.loaded.encoder_id, self.file, self.settings.loop.agent.memory
        )
        expedition = Expedition(self._loop(memory), self.rng, dict(self.truths))
        before = measure_map(memory, expedition.truths, self.space)
        report = self._reporter("kidnappings")
        tried = list(kidnappings(expedition, self.space, self.settings.kidnappings, report))
        after = measure_map(memory, expedition.truths, self.space)
        memory.close()
        found = [t.found_after() for t in tried]
        figures: Figures = {
            "kidnappings": len(tried),
            "kidnap_found_within_10_s_share": float(np.mean(np.array(found) <= KIDNAP_PATIENCE)),
            "kidnap_fooled_mean_s": float(np.mean([t.fooled() for t in tried])),
            "kidnap_false_edges": after.false_edges - before.false_edges,
        }
        return figures | _times("kidnap_found", found) | self._honesty("kidnap", tried)

    def _drive_on(self) -> Figures:
        expedition = self._open(learning=True)
        expedition.begin(self.space.sample_pose(self.rng))
        driven = drive(expedition, self.space, self.settings.hours * 3600, self._reporter("driving on"))
        figures = self._map_figures(expedition, "later_") | self._honesty("drive", [driven])
        expedition.memory.close()
        return figures

    def _honesty(self, name: str, tried: Iterable[Judged]) -> Figures:
        judged = list(tried)
        found = judge([m for t in judged for m in t.moments], [r for t in judged for r in t.right])
        self.curves[name] = [(round(said, 4), round(right, 4), count) for said, right, count in found.curve]
        figures = {key: value for key, value in asdict(found).items() if key != "curve"}
        units = {"moments": "moments", "entropy_when_right": "entropy_when_right_nat"}
        units |= {"entropy_when_wrong": "entropy_when_wrong_nat"}
        return {f"{name}_{units.get(key, f'{key}_share')}": _finite(value) for key, value in figures.items()}

    def _reporter(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self.report(what, done, total)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _times(name: str, seconds: list[float]) -> Figures:
    """Quantiles that count what never happened as later than everything."""
    ordered = np.sort(seconds)
    return {f"{name}_p{q}_s": _finite(np.percentile(ordered, q, method="higher")) for q in (50, 90)}
