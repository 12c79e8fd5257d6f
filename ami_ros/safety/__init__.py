"""The gate that has the last word on every command, and the tracker of what moves around the robot.

The gate takes commands, scans, odometry, readings of other sensors, tracks and keep-out areas. It gives the
command to send and the reason why it differs from what was asked (`output.REASONS`). Nothing in it is learned,
and it imports neither torch nor scipy. docs/safety.md has its guarantees.

Where to start:

- `gate.SafetyGate`: `command`, `scan`, `odometry` and others take what comes; `output` gives what goes out, at
  a fixed rate.
- `config.SafetyConfig`: what the gate is told about the robot. Each part has a configuration of its own beside
  it.
- `obstruction.Obstruction`: whether all paths are free that the robot may take with a command.

The tracker takes each scan with its pose, and gives `moving_things.MovingThings`: `tracker.Tracker`. What it
says only makes the gate stricter. `moving_things` also predicts where others will be, and remembers where they
were.
"""
