"""What people say of places: names, notes, and where the robot must not go."""

from __future__ import annotations

from ami_ros.errors import AmiError
from ami_ros.memory.codes import Code
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.writing import MAX_LABEL, MAX_NOTE

MAX_KEEP_AWAY = 100.0  # [m] around a place


def label_place(
    places: PlaceMap, place_id: int, label: str, note: str, overwrite: bool = False, keep_away: float = 0.0
) -> None:
    """Says something of a place.

    Args:
        places: the map.
        place_id: of the place.
        label: empty: it has none.
        note: likewise.
        overwrite: move the label here if another place has it.
        keep_away: [m] that the robot shall keep away from it from now on; 0: it may go there.

    Raises:
        AmiError: with `Code.NOT_FOUND`, `LABEL_EXISTS` or `INVALID_INPUT`.
    """
    if place_id not in places.index:
        raise AmiError(f"memory: no such place: {place_id}", Code.NOT_FOUND)
    if len(label) > MAX_LABEL or len(note) > MAX_NOTE:
        raise AmiError(f"memory: a label has at most {MAX_LABEL} characters, a note {MAX_NOTE}", Code.INVALID_INPUT)
    if not 0.0 <= keep_away <= MAX_KEEP_AWAY:
        raise AmiError(f"memory: keep_away must be from 0 to {MAX_KEEP_AWAY:g} m", Code.INVALID_INPUT)
    if not overwrite and any(holder != place_id for holder in places.labelled(label)):
        raise AmiError(f"memory: '{label}' is another place; set overwrite to move it here", Code.LABEL_EXISTS)
    places.label(place_id, label, note, keep_away)
