"""Who moves about in a simulated world: bodies, how they go, and what sensors meet of them.

Start with `crowd.Crowd`, which holds those of a world, and `crowd.Company`, its face to a robot. `bodies` says how big
they are and how their legs swing; `walkers` has those who walk between random places, also by mutual avoidance (ORCA),
and `recorded` those who once walked before a camera.
"""
