"""The places in memory as a dictionary of rows, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ami_ros.memory.index import PlaceIndex
from ami_ros.memory.rows import PlaceRow


class Details(Mapping[int, PlaceRow]):
    """What is known of each place but pictures and experience, by id. Rows are copies: later changes do not reach them.

    Attributes:
        labels, notes: of the places that have one.
    """

    def __init__(self, index: PlaceIndex) -> None:
        self._index = index
        self.labels: dict[int, str] = {}
        self.notes: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[int]:
        return iter(self._index.ids.tolist())

    def __contains__(self, place_id: object) -> bool:
        return isinstance(place_id, int) and place_id in self._index

    def __getitem__(self, place_id: int) -> PlaceRow:
        index, row = self._index, self._index.row(place_id)
        return PlaceRow(
            place_id,
            index.latents[row].copy(),
            index.poses[row].copy(),
            float(index.column("created")[row]),
            float(index.column("last_seen")[row]),
            int(index.column("visits")[row]),
            self.labels.get(place_id, ""),
            self.notes.get(place_id, ""),
            int(index.column("episode")[row]),
            float(index.column("surprise")[row]),
            float(index.column("keep_away")[row]),
        )

    def change(self, row: PlaceRow) -> None:
        """A known place is as `row` says now; its latent and pose stay."""
        at = self._index.row(row.id)
        for name in ("created", "last_seen", "visits", "surprise", "keep_away"):
            self._index.column(name)[at] = getattr(row, name)
        self.name(row.id, row.label, row.note)

    def name(self, place_id: int, label: str, note: str) -> None:
        """Label and note of a place; empty: it has none."""
        for texts, text in ((self.labels, label), (self.notes, note)):
            if text:
                texts[place_id] = text
            else:
                texts.pop(place_id, None)
