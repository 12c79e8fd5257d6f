"""Memories and recordings of many robots in one Lance data set (the extra `lance`), and what is made of them.

Takes memory files and recordings, each under the name of its robot; gives memories back, one map for each building,
and a data set to train on.

Start from `dataset` (`export_memory`, `import_memory`, `Snapshot`), `recordings` (`export_recordings`, `FleetDataset`)
and `merge.merge_fleet`, which any number of processes run at once (`shared_tasks.SharedTasks`) on the maps that are
alike (`likeness`).
"""
