"""Parameters that may change while the stack runs: read off the nodes' own descriptors, and set there."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python

from ami_ros.console.requests import Parameters, Tune
from ami_ros.errors import AmiError
from ami_ros.ros.console.errand import reply

PATIENCE = 3.0  # [s] for a node to answer
NOT_OURS = "use_sim_time", "start_type_description_service", "qos_overrides"  # rclpy's own
SIMPLE = {
    ParameterType.PARAMETER_BOOL: bool, ParameterType.PARAMETER_INTEGER: int,
    ParameterType.PARAMETER_DOUBLE: float, ParameterType.PARAMETER_STRING: str,
}  # fmt: skip
SERVICES = {
    "list_parameters": ListParameters, "describe_parameters": DescribeParameters, "get_parameters": GetParameters,
    "set_parameters": SetParameters,
}  # fmt: skip
UNIT = re.compile(r"^\[([^]]*)\]\s*(.*)$|^(.*?)\s*\[([^]]*)\]$")  # of a description, before or behind the words


class Tuning:
    """Asks nodes on threads of their own, for each answer takes several questions.

    Args:
        node: that the clients are of.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clients: dict[str, dict[str, Any]] = {}  # node -> service -> client

    def tell(self, request: Parameters, answer: Future[Any]) -> None:
        """Answers with the parameters of a node that may change; on the executor's thread."""
        self._start(self._list, request, answer)

    def tune(self, request: Tune, answer: Future[Any]) -> None:
        """Sets one, or answers with the line with which the node refused it; on the executor's thread."""
        self._start(self._set, request, answer)

    def _start(self, work: Callable[[Any], Any], request: Parameters | Tune, answer: Future[Any]) -> None:
        if request.node not in self._clients:
            self._clients[request.node] = {
                name: self._node.create_client(kind, f"{request.node}/{name}") for name, kind in SERVICES.items()
            }

        def run() -> None:
            try:
                reply(answer, work(request))
            except AmiError as error:
                reply(answer, error)

        threading.Thread(target=run, name="console tuning", daemon=True).start()

    def _list(self, request: Parameters) -> dict[str, Any]:
        names = self._ask(request.node, "list_parameters", ListParameters.Request()).result.names
        described = self._described(request.node, [n for n in names if n.split(".")[0] not in NOT_OURS])
        values = self._ask(request.node, "get_parameters", GetParameters.Request(names=[d.name for d in described]))
        pairs = zip(described, map(parameter_value_to_python, values.values), strict=True)
        return {"node": request.node, "parameters": [row(about, value) for about, value in pairs]}

    def _described(self, node: str, names: list[str]) -> list[ParameterDescriptor]:
        found = self._ask(node, "describe_parameters", DescribeParameters.Request(names=names)).descriptors
        return [about for about in found if not about.read_only and about.type in SIMPLE]

    def _set(self, request: Tune) -> str:
        described = self._described(request.node, [request.name])
        if not described:
            raise AmiError(f"{request.node}: {request.name} is no parameter that may change while it runs")
        kind = SIMPLE[described[0].type]
        value = float(request.value) if kind is float and type(request.value) is int else request.value
        if type(value) is not kind:
            raise AmiError(f"{request.node}: {request.name} takes a value of type {kind.__name__}, not {value!r}")
        asked = SetParameters.Request(parameters=[Parameter(request.name, value=value).to_parameter_msg()])
        result = self._ask(request.node, "set_parameters", asked).results[0]
        if not result.successful:
            raise AmiError(result.reason)
        return f"{request.node}: {request.name} is {value} now"

    def _ask(self, node: str, service: str, request: Any) -> Any:
        client, came = self._clients[node][service], threading.Event()
        if not client.wait_for_service(PATIENCE):
            raise AmiError(f"nobody offers {node}/{service}: is the stack running, in this ROS domain and namespace?")
        future = client.call_async(request)
        future.add_done_callback(lambda _: came.set())
        if not came.wait(PATIENCE):
            raise AmiError(f"{node} did not answer within {PATIENCE:.0f} s")
        return future.result()


def row(about: ParameterDescriptor, value: Any) -> dict[str, Any]:
    """A parameter as the page shows it."""
    found = UNIT.match(about.description)
    before, after, words, behind = found.groups() if found else (None, None, about.description, None)
    [limits] = list(about.floating_point_range or about.integer_range)[:1] or [None]
    said = ((after if before else words) or "").rstrip(".")
    return {
        "name": about.name, "value": value, "unit": before or behind or "",
        "words": "; ".join(filter(None, (said, about.additional_constraints))),
        "low": None if limits is None else limits.from_value, "high": None if limits is None else limits.to_value,
    }  # fmt: skip
