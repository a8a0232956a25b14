"""Which runner gets which run, what it holds already, and the walls around it."""
