"""Which cost decided, as a message."""

from __future__ import annotations

from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from ami_ros.planning.costs.statistics import CostShare, deciding


def costs_message(shares: Sequence[CostShare], header: Header) -> DiagnosticArray:
    """One status for each cost, level OK; the one that decided says so.

    Its values are `value`, the cost of the chosen future [m], and `pull` [m]: by how much another future would have
    been better, had this cost been silent. In the manner of the critics' statistics of Nav2's MPPI controller.
    """
    decided = deciding(shares)
    status = [
        DiagnosticStatus(
            name=share.name,
            level=DiagnosticStatus.OK,
            message="decided" if share.name == decided else "",
            values=[
                KeyValue(key="value", value=f"{share.value:.4f}"),
                KeyValue(key="pull", value=f"{share.pull:.4f}"),
            ],
        )
        for share in shares
    ]
    return DiagnosticArray(header=header, status=status)
