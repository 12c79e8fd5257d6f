"""The robot's mind as parts with ports, joined by one graph; no ROS.

A part is one class in one file. It says once what it takes, what it gives and what it can be asked (`takes`, `gives`,
`answers`), handles what comes in quick `on_NAME` methods, and leaves heavy work to its one worker (`Bus.work`: the
newest job wins). Everything else from outside comes through its `Bus`. There are two: ROS (`ros.node.bus`, one node a
part) and simulated time (`simulated_bus`), which charges what real nodes were measured to take.

Start with `part.Part`, `graph.GRAPH` and `simulated_bus.SimulatedBus`. To add a part: a port for each new stream in
`part`, the class, a row in `graph.GRAPH`, what its work costs in `simulated_bus.Timing`, and what its messages are in
`ros.node.bus`; a node that joins it to ROS, and a line in `bench.closed_loop.ClosedLoop.wire`, which puts it on
the bus of the benches.

`recorded` plays a recording to the parts. `supervision` says which nodes of a stack live, and what is to be done about
one that does not.
"""
