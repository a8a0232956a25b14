"""The simulated back end: a whole board in memory, the same on every run."""
