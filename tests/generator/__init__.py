"""Random Lua for tests: programs, whole tools, and damage to them. A seed gives the same again."""
