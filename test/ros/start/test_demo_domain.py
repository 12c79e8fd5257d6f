import os
from collections.abc import Iterator

import pytest
from rclpy.context import Context

from ami_ros.core.errors import AmiError
from ami_ros.ros.start import domain as demo_domain
from harness import RosPeer


@pytest.fixture
def domain_of_peer(monkeypatch: pytest.MonkeyPatch) -> int:
    """The domain of this test worker, which the worker itself has claimed: the claim is lifted."""
    domain = int(os.environ["ROS_DOMAIN_ID"])
    monkeypatch.setattr(demo_domain, "claim_domain", lambda wanted: domain)
    return domain


@pytest.fixture
def joined() -> Iterator[list[Context]]:
    contexts: list[Context] = []
    yield contexts
    for context in contexts:
        context.shutdown()


def test_wanted_domain_with_a_node_of_our_name_is_refused(ros: RosPeer, domain_of_peer: int) -> None:
    ros.make_node("planner")
    with pytest.raises(AmiError, match=f"ROS domain {domain_of_peer}: a node 'planner' runs there already"):
        demo_domain.join_domain(domain_of_peer, ["planner", "memory"])


def test_wanted_domain_with_other_nodes_is_joined(ros: RosPeer, domain_of_peer: int, joined: list[Context]) -> None:
    ros.make_node("teleop")
    joined.append(demo_domain.join_domain(domain_of_peer, ["planner", "memory"]))
    assert joined[0].ok()
    assert joined[0].get_domain_id() == domain_of_peer


def test_without_a_wish_a_domain_without_nodes_is_found(
    ros: RosPeer, monkeypatch: pytest.MonkeyPatch, joined: list[Context]
) -> None:
    busy = int(os.environ["ROS_DOMAIN_ID"])
    ros.make_node("teleop")
    claims = iter([busy, *(d for d in range(101, 0, -1) if d != busy)])
    monkeypatch.setattr(demo_domain, "claim_domain", lambda wanted: next(claims))
    monkeypatch.delenv("ROS_DOMAIN_ID")
    joined.append(demo_domain.join_domain(None, ["planner"]))
    assert joined[0].get_domain_id() != busy
    assert os.environ["ROS_DOMAIN_ID"] == str(joined[0].get_domain_id())
