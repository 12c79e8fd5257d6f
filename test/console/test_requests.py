import json
from typing import Any

import pytest

from ami_ros.console.requests import KINDS, GoTo, GoToPlace, KeepOut, Request, Steer, read_json, request_of
from ami_ros.core.errors import AmiError

FITS: dict[str, dict[str, Any]] = {
    "goto": {"x": 1.0, "y": 2}, "goto_place": {"name": "kitchen"}, "goto_picture": {"picture": 1},
    "patrol": {"names": ["a", "b"]}, "name": {"name": "hall"}, "keep_out": {"points": [[0, 1], [1, 1]]},
    "parameters": {"node": "planner"}, "tune": {"node": "planner", "name": "control_rate", "value": 5},
}  # fmt: skip


def asked(text: str) -> Request:
    return request_of(read_json(text))


@pytest.mark.parametrize("name", KINDS)
def test_each_request_is_read(name: str) -> None:
    request = asked(json.dumps({"do": name, **FITS.get(name, {})}))
    assert type(request) is KINDS[name] and str(request)


def test_values_arrive_as_they_were_sent() -> None:
    assert asked('{"do": "goto", "x": 1, "y": -2.5, "yaw": 0.5}') == GoTo(1.0, -2.5, 0.5)
    assert asked('{"do": "goto", "x": 1, "y": 2}') == GoTo(1.0, 2.0, None)
    assert asked('{"do": "steer", "linear": 1}') == Steer(1.0, 0.0)
    assert asked('{"do": "goto_place", "name": "Küche 2"}') == GoToPlace("Küche 2")
    assert asked('{"do": "keep_out", "points": [[1, 2]], "radius": 0.5}') == KeepOut(((1.0, 2.0),), 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", "3", "null", '"stop"', "{}", '{"do": null}', '{"do": "reboot"}', '{"do": ["stop"]}',
        '{"do": "stop", "really": true}', '{"do": "goto", "x": 1}', '{"do": "goto", "x": NaN, "y": 1}',
        '{"do": "goto", "x": Infinity, "y": 1}', '{"do": "goto", "x": 1e999, "y": 1}',
        '{"do": "goto", "x": 1, "y": -1e9}',
        '{"do": "goto", "x": 1, "y": 1, "yaw": 1e999}', '{"do": "goto", "x": "1", "y": 1}',
        '{"do": "goto", "x": true, "y": 1}', '{"do": "steer", "linear": 1.1}', '{"do": "steer", "angular": -1e999}',
        '{"do": "explore", "area": [[0, 0], [1, 1]]}', '{"do": "explore", "area": [[0, 0], [1, 0], [1, 1e999]]}',
        '{"do": "tune", "node": "kernel", "name": "a", "value": 1}',
        '{"do": "tune", "node": "planner", "name": "", "value": 1}',
        '{"do": "tune", "node": "planner", "name": "a", "value": [1]}',
        '{"do": "explore", "minutes": 0}', '{"do": "explore", "minutes": 1e9}', '{"do": "explore", "minutes": -1}',
        '{"do": "patrol", "names": []}', '{"do": "patrol", "names": ["a"], "rounds": 1000}',
        '{"do": "keep_out", "points": []}', '{"do": "keep_out", "points": [[1e999, 0]]}',
        '{"do": "keep_out", "points": [[0, 0]], "radius": 100}', '{"do": "keep_out", "points": [[0, 0, 0]]}',
        '{"do": "thumbnail", "x": 1e999}', '{"do": "name", "name": "a", "place": -1}',
        '{"do": "goto", "x": ' + "9" * 5000 + ', "y": 0}', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line_of_error(text: str) -> None:
    with pytest.raises(AmiError) as error:
        asked(text)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "name",
    ["", " ", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", ".ssh", "..", "a\nb", "a\0b", "\u202egpj", "a" * 65],
)
@pytest.mark.parametrize("what", ["goto_place", "name"])
def test_a_name_that_could_be_a_path_or_a_line_is_refused(what: str, name: str) -> None:
    with pytest.raises(AmiError, match="name"):
        asked(json.dumps({"do": what, "name": name}))
