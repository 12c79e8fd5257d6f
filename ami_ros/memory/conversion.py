"""Memories made of something else: of an occupancy map, or of a memory of another encoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import decode_image
from ami_ros.core.scan import Scan, scan_points
from ami_ros.core.submaps import REACH, free_distance, submap_of
from ami_ros.memory.database import meta_of
from ami_ros.memory.files import batches
from ami_ros.memory.growth import MemoryConfig
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, OccupancyMap
from ami_ros.memory.replacing import written_beside
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, Experience, PlaceRow
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.torch_model import LoadedModel

# A memory made from a map: places in its free space, each with the scan that a laser would take there.
#
# Whoever starts with it knows the way around a building in which it has never been, in the frame of the map. Pictures
# are what it lacks: a model that recognises places by pictures gets none from a map.

Encode = Callable[[Scan], NDArray[np.float32]]


@dataclass(frozen=True)
class MapPlaces:
    """Where places are put in a map."""

    apart: float = 0.5  # [m] between places: as memories of the simulator's homes have along a way
    linked: float = 1.2  # [m] between two places that see each other, up to which a way is noted
    least: int = 20  # cells of a free area, below which it is no place to be


MAP_PLACES = MapPlaces()


class Imported(NamedTuple):
    """What came of it."""

    places: int
    ways: int
    areas: int  # free areas that no way joins; one is usual


def remember_map(
    drawn: OccupancyMap, out: Path, encoder_id: str, encode: Encode, radius: float, report: Callable[[int, int], None]
) -> Imported:
    """Writes a memory to `out`, a new file.

    Args:
        drawn: the map, in whose frame places lie.
        out: see above.
        encoder_id: of the model that gives latents.
        encode: the latent (latent_dim,) of a scan in base_link.
        radius: [m] of the disc that holds the robot: a place is where it fits.
        report: progress: done and total.

    Raises:
        AmiError: `out` is there or cannot be written, the robot fits nowhere, or the map is too large.
    """
    if out.exists():
        raise AmiError(f"{out} exists already; name another file, or remove it")
    room = _room(drawn)
    at, ways, areas = _spread(room >= radius, room, drawn.resolution)
    if not len(at):
        raise AmiError(f"the map has no free space in which a robot of {radius:g} m radius fits")
    points = drawn.points(at)
    seen = [_scan(drawn, point) for point in points]
    rows = []
    for k, (point, scan) in enumerate(zip(points, seen, strict=True)):
        submap = submap_of(scan_points(scan, REACH), free_distance(scan)).pack()
        rows.append(
            PlaceRow(k + 1, encode(scan), np.array([*point, 0.0]), 0.0, 0.0, 1, experience=Experience(submap=submap))
        )
        report(k + 1, len(points))
    exact = np.diag([0.02**2, 0.02**2, 0.01**2])  # covariance of what a map says of two places
    edges = [Edge(a + 1, b + 1, np.array([*(points[b] - points[a]), 0.0]), covariance=exact) for a, b in ways]
    edges += [Edge(edge.stop, edge.start, -edge.relative, covariance=exact) for edge in edges]  # no place is turned
    _write(out, encoder_id, rows, edges)
    return Imported(len(rows), len(edges), areas)


def _write(out: Path, encoder_id: str, rows: list[PlaceRow], edges: list[Edge]) -> None:
    try:
        store = Store(out, encoder_id, len(rows[0].latent))
        try:
            for batch in batches(rows):
                store.put_places(batch)
                store.flush()
            store.put_edges(edges)
            store.flush()
        finally:
            store.close()
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _room(drawn: OccupancyMap) -> Array:
    """Of each cell (height, width) [m] to what is not free; the edge of the map is not."""
    import cv2

    free = np.pad((drawn.cells == FREE).astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, 5)[1:-1, 1:-1] * drawn.resolution, np.float64)


def _spread(fits: NDArray[np.bool_], room: Array, cell: float) -> tuple[NDArray[np.int64], list[tuple[int, int]], int]:
    """Cells (n, 2) all over what `fits`, pairs of their indices that a straight way joins, and the number of areas.

    Each area is filled from where there is most room. The next cell is the nearest one by way that no place covers, and
    is joined with the place that covers the cell before it: so all of an area is joined.
    """
    import cv2
    from scipy.sparse.csgraph import breadth_first_order

    count, labels, stats, _ = cv2.connectedComponentsWithStats(fits.astype(np.uint8), connectivity=4)
    numbers = np.full(fits.shape, -1, np.int64)
    cells = np.argwhere(fits)
    numbers[fits] = np.arange(len(cells))
    joined = _neighbours(numbers)
    covered = np.full(len(cells), -1, np.int64)  # by which place
    found: list[NDArray[np.int64]] = []
    ways: list[tuple[int, int]] = []
    reach, areas = MAP_PLACES.apart / cell, 0
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < MAP_PLACES.least:
            continue
        areas += 1
        inside = np.flatnonzero(labels[fits] == label)
        start = inside[int(room[tuple(cells[inside].T)].argmax())]
        order, before = breadth_first_order(joined, start, directed=False)
        for node in order:
            if covered[node] >= 0:
                continue
            if node != start:
                ways.append((int(covered[before[node]]), len(found)))
            _cover(covered, numbers, cells[node], len(found), reach)
            found.append(cells[node])
            if len(found) > MemoryConfig.max_places:
                raise AmiError(f"the map wants more than {MemoryConfig.max_places} places; cut it into parts")
    at = np.array(found, np.int64).reshape(-1, 2)
    return at, _all_ways(at, ways, fits, MAP_PLACES.linked / cell), areas


def _neighbours(numbers: NDArray[np.int64]):  # type: ignore[no-untyped-def]
    """Which numbered cells lie beside each other, as a sparse matrix; -1 has no number."""
    from scipy.sparse import coo_array

    pairs = [(numbers[:-1].ravel(), numbers[1:].ravel()), (numbers[:, :-1].ravel(), numbers[:, 1:].ravel())]
    first, second = np.concatenate([np.stack(pair) for pair in pairs], axis=1)
    both = (first >= 0) & (second >= 0)
    size = int(numbers.max()) + 1
    return coo_array((np.ones(both.sum(), np.int8), (first[both], second[both])), shape=(size, size)).tocsr()


def _cover(
    covered: NDArray[np.int64], numbers: NDArray[np.int64], cell: NDArray[np.int64], place: int, reach: float
) -> None:
    """Notes the cells that `place` covers: within `reach` cells, and joined with it within that square."""
    import cv2

    half = math.ceil(reach)
    low = np.maximum(cell - half, 0)
    window = numbers[low[0] : cell[0] + half + 1, low[1] : cell[1] + half + 1]
    _, labels = cv2.connectedComponents((window >= 0).astype(np.uint8), connectivity=4)
    here = cell - low
    rows, columns = np.indices(window.shape)
    near = np.hypot(rows - here[0], columns - here[1]) <= reach
    chosen = window[near & (labels == labels[tuple(here)])]
    covered[chosen[covered[chosen] < 0]] = place


def _all_ways(
    at: NDArray[np.int64], ways: list[tuple[int, int]], fits: NDArray[np.bool_], reach: float
) -> list[tuple[int, int]]:
    """The pairs in `ways`, and those at most `reach` cells apart between which all of a straight line fits."""
    from scipy.spatial import cKDTree

    found = set(ways)
    for a, b in cKDTree(at).query_pairs(reach) if len(at) else ():
        steps = max(2, int(2 * np.hypot(*(at[b] - at[a]))))
        line = np.round(at[a] + np.linspace(0.0, 1.0, steps)[:, None] * (at[b] - at[a])).astype(np.int64)
        if (b, a) not in found and fits[line[:, 0], line[:, 1]].all():
            found.add((a, b))
    return sorted(found)


def _scan(drawn: OccupancyMap, point: Array) -> Scan:
    """What a laser would see at a point (2,) [m] of the map, turned like the map's frame.

    NaN where a beam ends in what is not known, inf where it meets nothing.
    """
    beams, step = 360, 0.5  # cells along a beam between two looks
    angles = np.arange(beams) * 2 * np.pi / beams
    steps = np.arange(1, int(REACH / (step * drawn.resolution)) + 1) * step
    turned = angles - drawn.yaw
    along = np.stack([np.sin(turned), np.cos(turned)], -1)[:, None] * steps[:, None]  # (beams, steps, 2): row, column
    c, s = math.cos(drawn.yaw), math.sin(drawn.yaw)
    x, y = point - drawn.origin
    start = np.array([c * y - s * x, c * x + s * y]) / drawn.resolution
    row, column = np.moveaxis(np.floor(start + along).astype(np.int64), -1, 0)
    height, width = drawn.cells.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    cells = np.where(inside, drawn.cells[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], -1)
    ends = cells != FREE
    first = ends.argmax(axis=1)
    met = cells[np.arange(beams), first] == OCCUPIED
    ranges = np.where(met, steps[first] * drawn.resolution, np.nan)
    ranges[~ends.any(axis=1)] = np.inf
    return Scan(ranges.astype(np.float32), 0.0, 2 * np.pi / beams, max_range=REACH)


# A memory for another encoder: places keep ids, names, poses and ways, and get new latents from their pictures.


@dataclass(frozen=True)
class Reencoded:
    """What came of it."""

    places: int  # that have a new latent
    without_picture: int  # places that are left out, since they have no picture ...
    unreadable: int  # ... or one that cannot be read
    ways: int
    ways_lost: int  # that began or ended at a place that is left out


def reencode(source: Path, loaded: LoadedModel, out: Path, progress: Callable[[int, int], None]) -> Reencoded:
    """Writes a memory for the encoder of `loaded` to `out`, a new file; `source` stays as it is.

    Latents are those of goal pictures: they owe nothing to the scan, and are a little less exact.

    Raises:
        AmiError: `source` is no memory or is of this encoder already; `out` is there, or cannot be written.
    """
    encoder_id, latent_dim = meta_of(source)
    if encoder_id == loaded.encoder_id:
        raise AmiError(f"the memory {source} is of the encoder {encoder_id} already")
    if out.exists():
        raise AmiError(f"{out} exists already; name another file, or remove it")
    old = Store(source, encoder_id, latent_dim, read_only=True)
    try:
        with written_beside(out) as scratch:
            new = Store(scratch, loaded.encoder_id, loaded.model.spec.latent_dim)
            try:
                return _reencode(old, new, Perception(loaded.model), progress)
            finally:
                new.close()
    except OSError as error:
        raise AmiError(f"the memory {out} cannot be written: {error.strerror or error}") from error
    finally:
        old.close()


def _reencode(old: Store, new: Store, perception: Perception, progress: Callable[[int, int], None]) -> Reencoded:
    places, edges = old.load()
    kept: set[int] = set()
    without = unreadable = 0
    made: list[PlaceRow] = []
    for k, place in enumerate(places):
        picture = old.thumbnail(place.id)
        try:
            if picture:
                latent = perception.encode_goal(decode_image(picture))
                experience = old.experience([place.id]).get(place.id)
                made.append(replace(place, latent=latent, thumbnail=picture, experience=experience))
                kept.add(place.id)
            else:
                without += 1
        except AmiError:
            unreadable += 1
        if len(made) == 200 or k + 1 == len(places):
            new.put_places(made)
            new.flush()
            made = []
        progress(k + 1, len(places))
    ways = [edge for edge in edges if edge.start in kept and edge.stop in kept]
    new.put_edges(ways)
    new.flush()
    return Reencoded(len(kept), without, unreadable, len(ways), len(edges) - len(ways))
