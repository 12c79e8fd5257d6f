"""What a robot remembers: places, the ways between them, and where it is among them.

Takes, moment by moment: the latent of the world model, odometry, the scan in base_link, a thumbnail (JPEG), the command
in force, and surprise. Without a learned model, scans alone will do (`laser_model`).

Gives: the robot's pose in the map and how sure that is; routes to a picture, a pose or a label; places by likeness, by
pose and by time; frontiers and next best views for who searches; an occupancy map; the file that keeps all of it.

Start from:

- `place_memory.PlaceMemory`: the face. Experience goes in, questions are answered, files are written. The node, the
  benches and the tests use it, and what is below it is protected (`tool.importlinter` in pyproject.toml).
- `place_map.PlaceMap`: what is remembered, in arrays (`index`, `tables`, `graph`) and on the disk (`store`).
- `localiser.Localiser`: where the robot is, and how the map grows there. By scans: `front_end` with scan odometry,
  `loop_closure`, `relocalisation` and `pose_graph`. By latents alone: `particle_filter`. Both found places by `growth`.

The file, from the outside in: `store` (one SQLite file, written by a thread), `records` (rows), `database` (tables,
versions, checksums), `replacing` (one writer, and how a file takes the place of another), `salvage` (damaged files).

Questions: `queries` asks `recognition` (pictures compared cell by cell), `retrieval` (codes and descriptors that are
kept), `index` (what latents say), `next_best_view` and `coverage` (where to look next).

Other robots: `sharing` (a site's robots copy each other's memories and join them while they drive), `fleet` (memories
and recordings of many robots in one data set, merged by any number of processes), `merging` (one file into another).

Poses are (3,) x, y [m], yaw [rad] in the frame `map`, which belongs to the memory: its origin is where the robot stood
when the memory was empty. Ids of a robot's own places are below `types.OWN`. Errors are `AmiError` with a `types.Code`.
"""
