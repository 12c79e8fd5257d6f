"""Buildings without end: `building:SEED` and `building:KIND:SEED` are worlds, by config/buildings.yaml."""
