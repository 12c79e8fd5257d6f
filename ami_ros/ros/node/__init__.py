"""What every node is made of: life cycle, parameters, bus, executor, health, its process."""
