"""What is in a simulated account at its start; each module has `plant(world)`."""
