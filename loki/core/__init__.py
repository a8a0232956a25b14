"""Decisions: pure functions and state machines, with no clock, I/O or actor library."""
