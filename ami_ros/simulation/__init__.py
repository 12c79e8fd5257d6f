"""Worlds and robots in simulated time: for learning, for benches, for tests, and behind ROS nodes.

It takes the name of a world (`world_file.load_world`: a file of `worlds/`, "building:SEED", "recorded:FILE", each with
a visit after it, as in "home@people=3,light=night"), a robot's description and a seed.

It gives a `robot.Robot`, which is driven step by step and observed: scan, picture, odometry, depth, and the truth for
those who judge. One seed and one sequence of calls make one run, to the bit.

Start with `robot.Robot`, which says what every simulated robot does. `simulator.Simulator` has physics and pictures by
MuJoCo; `loopback.Loopback` has neither and costs next to nothing. `world.World` is what a world is, for all simulators.

- `floor_plan`, `free_space`, `routes`: what is solid from above; where a robot fits; ways that keep clear of things.
- `scene`, `lightmaps`, `textures`: a world as shapes, materials and lights; `mjcf` and `gazebo` are written from it.
- `buildings`: worlds drawn from a seed, by config/buildings.yaml; `visit`: the same world on another day.
- `people`: who moves about; `contacts`: who ran into whom.
- `noise`: what sensors add to the truth.
- `exploration`, `routes`: drives that gather experience; `corridors`, `yards`: ground on which scans are learned.

Lengths are in metres, angles in radians, poses x, y, yaw in the frame `world`, whose origin is the plan's lower left
corner. Only `mjcf` and `simulator` import mujoco.
"""
