"""Buildings without end: `building:SEED` and `building:KIND:SEED` are worlds, by config/buildings.yaml.

Start with `generator.building`, which makes the `World` of a name. `kinds` has the names, what each is for (training or
tests), and the floor plans. `shell` makes walls, doors and windows of a plan; `furnishing` puts `items` where doors
stay free and every place stays in reach. `bare` draws plain buildings as people write them by hand.
"""
