"""The field's own benchmark: our model and planner in the environments of stable-worldmodel (arXiv 2605.21800).

Nothing else of ami_ros needs this part, and only `arena.package` imports that package, when something of it is used.
"""
