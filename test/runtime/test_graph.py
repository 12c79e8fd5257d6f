"""The graph of parts: streams have givers and takers, and parts do what they say."""

from __future__ import annotations

import pytest

from ami_ros.runtime.graph import GRAPH, streams
from ami_ros.runtime.part import Part

SHOWN = {"planner/state", "planner/thought", "adaptation", "place_graph", "keep_away"}  # for others


def test_every_stream_that_a_part_takes_has_somebody_who_gives_it() -> None:
    for name, stream in streams().items():
        assert stream.givers, f"nobody gives {name}"
        assert stream.takers or name in SHOWN | {"emergency_stop"}, f"nobody takes {name}"


def test_ends_of_a_stream_agree() -> None:
    known = {name: stream.port for name, stream in streams().items()}
    for part in GRAPH.values():
        for port in (*part.takes, *part.gives):
            assert (port.kind, port.quality) == (known[port.name].kind, known[port.name].quality)


@pytest.mark.parametrize("part", GRAPH.values(), ids=GRAPH)
def test_a_part_has_what_it_says(part: type[Part]) -> None:
    for port in part.takes:
        assert callable(getattr(part, f"on_{port.name.replace('/', '_')}"))
    for question in part.answers:
        assert callable(getattr(part, question.name))
    answered = {question for other in GRAPH.values() for question in other.answers}
    assert set(part.asks) <= answered
