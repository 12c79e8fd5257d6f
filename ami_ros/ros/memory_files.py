"""The services that save, load, merge and count memories."""

from __future__ import annotations

import threading
from pathlib import Path

from ami_interfaces.srv import MemoryFile, MemoryStatistics
from ami_ros.memory.files import named_file
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.ros import conversions
from ami_ros.ros.lifecycle import AmiNode
from ami_ros.ros.memory_services import LockedServices


class MemoryFiles(LockedServices):
    """The services about memory as a whole.

    Args:
        node: whose services they are.
        memory: asked while `lock` is held.
        lock: keeps services and observation apart.
        folder: of the files; None: there is none.
    """

    def __init__(self, node: AmiNode, memory: PlaceMemory, lock: threading.Lock, folder: Path | None) -> None:
        super().__init__(node, memory, lock)
        self._folder = folder
        self.offer(MemoryFile, "~/save", self._save, "WRITE_FAILED")
        self.offer(MemoryFile, "~/load", self._load, "WRITE_FAILED")
        self.offer(MemoryFile, "~/merge", self._merge, "WRITE_FAILED")
        self.offer(MemoryStatistics, "~/statistics", self._count)

    def _save(self, request: MemoryFile.Request, response: MemoryFile.Response) -> None:
        response.size = self._memory.save(named_file(self._folder, request.name), request.overwrite)
        response.num_places = len(self._memory)

    def _load(self, request: MemoryFile.Request, response: MemoryFile.Response) -> None:
        self._memory.load(named_file(self._folder, request.name), request.overwrite)
        self._describe(response)

    def _merge(self, request: MemoryFile.Request, response: MemoryFile.Response) -> None:
        merged = self._memory.merge(named_file(self._folder, request.name))
        response.num_added, response.num_joined = merged.added, merged.joined
        self._describe(response)

    def _describe(self, response: MemoryFile.Response) -> None:
        response.num_places, response.size = len(self._memory), self._memory.map.store.size()

    def _count(self, request: MemoryStatistics.Request, response: MemoryStatistics.Response) -> None:
        counts, store = self._memory.statistics(), self._memory.map.store
        response.encoder_id = self._memory.map.encoder_id
        response.num_places, response.num_ways = counts.places, counts.ways
        response.num_blocked, response.num_labels = counts.blocked, counts.labels
        response.num_episodes, response.num_visits = counts.episodes, counts.visits
        response.first = conversions.seconds_to_stamp(counts.first)
        response.last = conversions.seconds_to_stamp(counts.last)
        response.size, response.persistent = counts.size, store.path is not None
        response.warning = str(store.error) if store.error else store.notice
