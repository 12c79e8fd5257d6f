"""PlaceMap: the places and the ways between them, in arrays for searching and on disk for keeping."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, pose_gap
from ami_ros.memory.graph import GraphConfig, PlaceGraph
from ami_ros.memory.index import CELL, Cells, Details, Latents, PlaceIndex
from ami_ros.memory.recognition import Recogniser
from ami_ros.memory.records import MAX_LABEL, MAX_NOTE
from ami_ros.memory.retrieval import CodeFile, descriptor_file
from ami_ros.memory.store import Store
from ami_ros.memory.types import FACTS, Code, Edge, Experience, Place, PlaceRow, Places, PlaceTable, is_own

UNWRITTEN = 32  # newest places whose pictures may not be in the store yet: it writes in a thread of its own
MAX_KEEP_AWAY = 100.0  # [m] around a place


class PlaceMap:
    """What is remembered. Whatever changes goes to the store at once; thumbnails are kept there, and the newest here.

    Args:
        model: gives meaning to latents; see `place_model`.
        encoder_id: of the latents; a stored memory of another encoder is refused.
        path: of the SQLite file; None keeps everything in RAM.
        config: of the graph.
    """

    def __init__(self, model: Any, encoder_id: str, path: Path | None, config: GraphConfig) -> None:
        self.encoder_id, self.latent_dim = encoder_id, model.spec.latent_dim
        self.index = PlaceIndex(model)
        self.graph = PlaceGraph(self.index, config)
        self._cells = Cells()
        self.store = Store(path, encoder_id, self.latent_dim)
        self.details = Details(self.index)
        pairs = self.index.model.pairs
        codes = None if path is None else CodeFile(path)
        self.recogniser = None if pairs is None else Recogniser(pairs, self.thumbnail, codes)
        if self.recogniser is not None and path is not None:
            self.recogniser.descriptors.file = descriptor_file(path)
        self._copied: Store | None = None  # where thumbnails of a copy are read from
        self._newest = OrderedDict[int, bytes]()  # pictures of the last UNWRITTEN places
        self.let_go = 0  # places that were forgotten because memory was full
        self.revision = 0  # grows with every change of places, ways and labels; visits are none
        self._take(*self.store.read())

    @property
    def labels(self) -> dict[int, str]:
        """Of the places that have one."""
        return self.details.labels

    def __len__(self) -> int:
        return len(self.index)

    def load_copy(self, path: Path) -> None:
        """Takes over what is in another file, which stays as it is, and from which thumbnails are read."""
        # It stays open: opening reads and checks all of it, for each picture half as long as encoding it.
        self._copied = source = Store(path, self.encoder_id, self.latent_dim, read_only=True)
        table, edges = source.read()
        known = source.experience(table.numbers["id"].tolist())
        self.store.put_places(replace(row, experience=known.get(row.id)) for row in table.rows())
        self._take(table, edges)
        if self.recogniser is not None:
            self.recogniser.file = CodeFile(path, writes=False)
            self.recogniser.descriptors.file = descriptor_file(path, writes=False)
        self._changed()

    def close(self) -> None:
        """Writes what is pending and closes the files."""
        self.store.close()
        if self.recogniser is not None:
            self.recogniser.close()
        if self._copied is not None:
            self._copied.close()

    def thumbnail(self, place_id: int) -> bytes:
        """JPEG of a place, empty if it has none."""
        own = self.store.thumbnail(place_id) or self._newest.get(place_id, b"")
        return own if own or self._copied is None else self._copied.thumbnail(place_id)

    def adopt(self, places: list[PlaceRow], edges: list[Edge]) -> None:
        """Adds places and ways that were made elsewhere; their ids are new here."""
        self.store.put_places(places)
        self.store.put_edges(edges)
        if places:
            numbers = {name: np.array([getattr(p, name) for p in places]) for name in FACTS}
            latents, poses = np.stack([p.latent for p in places]), np.stack([p.pose for p in places])
            self.index.extend(np.array([p.id for p in places]), latents, poses, **numbers)
            for place in places:
                self.details.name(place.id, place.label, place.note)
            for place in places[-UNWRITTEN:]:
                self._note_picture(place.id, place.thumbnail)
            if any(is_own(place.id) for place in places):
                self.begin_episode()
        for edge in edges:
            self.graph.add(edge)
        self._changed()

    def _take(self, table: PlaceTable, edges: NDArray[np.void]) -> None:
        """Fills index and graph with what was stored."""
        ids = table.numbers["id"]
        self.index.extend(ids, table.latents, table.poses, **{name: table.numbers[name] for name in FACTS})
        for place_id, (label, note) in table.texts.items():
            self.details.name(place_id, label, note)
        self.graph.take(edges)
        self.begin_episode()

    def _changed(self) -> None:
        """Places were added, dropped or moved."""
        self.graph.changed()
        self.revision += 1

    def begin_episode(self) -> None:
        """Odometry begins anew: places founded from now on belong to another episode."""
        own = is_own(self.index.ids)
        self.episode = int(self.index.column("episode")[own].max(initial=0)) + 1

    def place(self, place_id: int) -> Place:
        """One place, without its thumbnail and what is known of it besides."""
        return self.places_of([place_id], with_experience=False)[0]

    def places_of(self, ids: Sequence[int], with_experience: bool) -> list[Place]:
        """Places without their thumbnails."""
        known, nothing = self.store.experience(ids) if with_experience else {}, Experience()
        found = []
        for i, latent, pose, created, last_seen, visits, label, note, *moment in self.details.facts(ids):
            more = known.get(i, nothing)
            times, (episode, surprise, away) = (created, last_seen, visits), moment
            seen = more.covariance, more.commands
            found.append(Place(i, pose, latent, label, note, *times, episode, surprise, away, *seen))
        return found

    def places(self) -> Places:
        """Everything, for markers and pictures."""
        return Places(self.index.ids.copy(), self.index.poses.copy(), dict(self.labels), self.graph.edges.driven())

    def nearest(self, pose: Array, spacing: float, turn_spacing: float) -> tuple[int, float, float]:
        """Id of the place that is nearest to `pose` (3,), its distance [m] and turn [rad]; id 0 if there is none.

        Args:
            pose: in the map frame.
            spacing: distance [m] that counts as much as ...
            turn_spacing: ... this turn [rad].
        """
        poses = self.index.poses
        if not len(self):
            return 0, np.inf, np.inf
        rows = self._cells.near(poses[:, :2], pose[:2])
        distance, turn = pose_gap(poses[rows], pose)
        gap = distance / spacing + turn / turn_spacing
        if gap.min(initial=np.inf) > CELL / spacing:  # what lies beyond the cells may be nearer, by this measure
            rows = np.arange(len(poses))
            distance, turn = pose_gap(poses, pose)
            gap = distance / spacing + turn / turn_spacing
        best = int(np.argmin(gap))
        return int(self.index.ids[rows[best]]), float(distance[best]), float(turn[best])

    def next_id(self) -> int:
        """Of the next place that this robot founds."""
        ids = self.index.ids
        return int(ids[is_own(ids)].max(initial=0)) + 1

    def own(self, place_id: int) -> int:
        """A place that this robot may say something of: one that another robot founded is founded anew, on one spot."""
        if place_id not in self.index or is_own(place_id):
            return place_id
        row, known = self.details[place_id], self.store.experience([place_id]).get(place_id)
        named = replace(row, id=self.next_id(), label="", note="", keep_away=0.0, episode=self.episode)
        # Where latents lead no way was measured.
        spread = None if self.graph.free is None else np.diag([0.01**2, 0.01**2, 0.005**2])
        way = Edge(place_id, named.id, np.zeros(3), 1, 0.0, 0, row.last_seen, spread, True)
        self.adopt([replace(named, thumbnail=self.thumbnail(place_id), experience=known)], [way])
        return named.id

    def add(
        self, stamp: float, latent: Latents, pose: Array, thumbnail: bytes | None, surprise: float = 0.0,
        covariance: Array | None = None,
    ) -> int:  # fmt: skip
        """A new place; returns its id."""
        place_id = self.next_id()
        known = Experience(np.asarray(covariance, np.float32)) if covariance is not None else None
        facts = stamp, stamp, 1, "", "", self.episode, surprise, 0.0
        row = PlaceRow(place_id, latent, pose, *facts, thumbnail or b"", known)
        self.store.put_places([row])
        self._note_picture(place_id, row.thumbnail)
        numbers = {name: getattr(row, name) for name in FACTS}
        self.index.extend(np.array([place_id]), latent[None], pose[None], **numbers)
        self.graph.added()
        self.revision += 1
        return place_id

    def _note_picture(self, place_id: int, picture: bytes) -> None:
        """It is not in the store yet."""
        self._newest[place_id] = picture
        if len(self._newest) > UNWRITTEN:
            self._newest.popitem(last=False)

    def visit(self, place_id: int, stamp: float) -> None:
        """The robot came by again."""
        old = self.details[place_id]
        self.update([replace(old, visits=old.visits + 1, last_seen=stamp)])

    def link(self, start: int, stop: int, measured: Array, duration: float, stamp: float) -> None:
        """The robot drove from one place to another; see `PlaceGraph.traversed`."""
        edge = self.graph.traversed(start, stop, measured, duration, stamp)
        self.store.put_edges([edge])
        self.revision += edge.traversals == 1

    def add_edge(self, edge: Edge) -> None:
        """Notes a way whose measurement is known; one that was known before is driven once more."""
        if (old := self.graph.edges.get((edge.start, edge.stop))) is not None and old.traversals:
            self.link(edge.start, edge.stop, edge.relative, edge.duration, edge.last_used)
            return
        self.graph.add(edge)
        self.store.put_edges([edge])
        self.revision += 1

    def drop_edge(self, start: int, stop: int) -> None:
        """Forgets one way; its places stay."""
        self.graph.cut(start, stop)
        self.store.erase_edge(start, stop)
        self.revision += 1

    def failed(self, start: int, stop: int, stamp: float) -> None:
        """The way between two places was found blocked; see `PlaceGraph.failed`."""
        edge = self.graph.failed(start, stop, stamp)
        if edge is not None:
            self.store.put_edges([edge])
            self.revision += 1

    def label(self, place_id: int, label: str, note: str, overwrite: bool = False, keep_away: float = 0.0) -> None:
        """Says something of a place; durable on return.

        Args:
            place_id: of the place.
            label: empty: it has none.
            note: likewise.
            overwrite: move the label here if another place has it.
            keep_away: [m] that the robot shall keep away from it from now on; 0: it may go there.

        Raises:
            AmiError: with `Code.NOT_FOUND`, `LABEL_EXISTS` or `INVALID_INPUT`.
        """
        if place_id not in self.index:
            raise AmiError(f"memory: no such place: {place_id}", Code.NOT_FOUND)
        if len(label) > MAX_LABEL or len(note) > MAX_NOTE:
            raise AmiError(f"memory: a label has at most {MAX_LABEL} characters, a note {MAX_NOTE}", Code.INVALID_INPUT)
        if not 0.0 <= keep_away <= MAX_KEEP_AWAY:
            raise AmiError(f"memory: keep_away must be from 0 to {MAX_KEEP_AWAY:g} m", Code.INVALID_INPUT)
        if not overwrite and any(holder != place_id for holder in self.labelled(label)):
            raise AmiError(f"memory: '{label}' is another place; set overwrite to move it here", Code.LABEL_EXISTS)
        holders = [self.details[i] for i in self.labelled(label) if i != place_id]
        named = replace(self.details[place_id], label=label, note=note, keep_away=keep_away)
        self.update([*(replace(p, label="") for p in holders), named], is_seen=True)
        self.store.flush()

    def labelled(self, label: str) -> list[int]:
        """Ids of the places of that name; none have an empty one."""
        return [i for i, name in self.labels.items() if name == label]

    def update(self, rows: list[PlaceRow], is_seen: bool = False) -> None:
        """Changes places; their latents and poses stay.

        Args:
            rows: as they are now.
            is_seen: labels changed, or which places are to be kept away from.
        """
        for row in rows:
            self.details.change(row)
        self.store.put_places(rows)
        if is_seen:
            self._changed()

    def near(self, position: Array, reach: float) -> NDArray[np.int64]:
        """Rows (k,), rising, of the places within `reach` [m] of a position (2,)."""
        rows = self._cells.near(self.index.poses[:, :2], position, reach)
        gap = np.hypot(*(self.index.poses[rows, :2] - position).T)
        return np.sort(rows[gap <= reach])

    def move(self, rows: NDArray[np.int64], poses: Array) -> None:
        """Moves places, rows (k,), to `poses` (k, 3); those that would move by less than a hair stay."""
        moved = np.greater(pose_gap(self.index.poses[rows], poses), 0.001).any(axis=0)  # less than a hair [m], [rad]
        rows, poses = rows[moved], poses[moved]
        if not len(rows):
            return
        self.index.poses[rows] = poses
        self._cells.move(rows, poses[:, :2])
        self.store.put_places(self.details.columns(rows))
        self._changed()

    def forget(self, ids: Collection[int], wait: bool = True) -> None:
        """Erases places, and the ways to and from them."""
        gone = set(ids)
        self.store.erase(sorted(gone), wait)
        for place_id in gone:
            self._newest.pop(place_id, None)
            self.details.name(place_id, "", "")
        self.index.remove(gone)
        self._cells = Cells()
        if self.recogniser is not None:
            self.recogniser.forget(gone)
        self.graph.drop(gone)
        self.revision += 1
