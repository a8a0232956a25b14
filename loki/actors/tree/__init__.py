"""Supervisors, up to the root, which keeps the events."""
