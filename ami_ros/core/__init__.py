"""What every other package may use: values and conventions of the field, robots, and what is installed.

It takes plain numbers, arrays, files and messages of ROS that somebody else has received. It gives values that
are checked: poses, scans, pictures, commands, configurations and descriptions of robots. It knows no ROS, no
model and no memory.

Where to start:

- `geometry`: a pose is an array (..., 3) of x [m], y [m] and yaw [rad]; `compose`, `relative` and
  `transform_points` do the rest.
- `scan.Scan`: one turn of a laser in base_link. `submaps` and `scan_matching` compare what two scans saw.
- `robots.description.load_robot`: a robot from its YAML file; `robots.derived` has what each node takes from
  it.

`config.from_mapping` makes a frozen dataclass of a mapping, and refuses what it does not know.
`errors.AmiError` is what a user reads: one line that says what is wrong, where, and what to do. `installation`
finds files, plugins and optional packages.
"""
