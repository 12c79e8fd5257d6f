import os
import re

from ami_ros.bench.console import measure
from ami_ros.console.node import ConsoleSettings, RobotConsole
from harness.ros import RosPeer


def test_what_a_page_costs_is_measured_on_a_real_console(ros: RosPeer) -> None:
    with RobotConsole(ros.context, ConsoleSettings(port=0, bags=None), lambda line: None) as console:
        address = re.search(r"(http://\S+)#(\S+)", console.addresses[0])
        assert address is not None
        figures = measure(os.getpid(), address, 1.0)
    assert 3.0 < figures["messages_per_s"] < 8.0 and figures["kb_per_s"] > 1.0
    assert 0.0 <= figures["idle_percent"] < 100.0 and figures["rss_mb"] > 30.0
