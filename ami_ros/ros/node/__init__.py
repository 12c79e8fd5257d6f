"""What every node is made of: life cycle, parameters, threads, its process."""
