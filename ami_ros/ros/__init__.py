"""The parts on a robot: each a ROS node, in a process of its own or all in one (composed).

Takes: the topics, services and actions in `interfaces.py`, under the names that a robot's description gives them.
Gives: nodes, the processes that they run in, and clients for people and programs. No algorithm lives here: a message
becomes plain values, then one call into the core, then a message again.

Start from:

- `node.lifecycle.AmiNode`: what every node is: managed, with parameters from a frozen dataclass; nothing from outside
  ends it. `node.bus.PartNode` and `RosBus` put a part of `ami_ros.runtime` on topics.
- `start.graph.processes`: which processes a robot runs, with which parameters and names. The launch files and `./ami`
  both start what it says.
- `goals.robot_client.RobotClient`: sends a running stack goals and missions.

    nodes/     one file a node, with its parameters and `main`
    node/      what nodes are made of: life cycle, parameters, bus, executor, health, process
    messages/  messages to plain values and back; `conversions.Record` for those that have the same fields
    goals/     actions: served (`action_server`, `navigation`), asked for (`clients`), from outside (`robot_client`)
    start/     the graph as data, as processes, as launch descriptions; Gazebo in the simulator's place

Beside them: sensors in the robot's frame (`scanner`, `gate_sensors`, `models`), what nodes publish for people
(`planner_topics`, `memory_services`), viewers (`foxglove`, `rerun`), recording (`recorder`), simulated robots
(`simulated_robot`, `gazebo_world`).
"""
