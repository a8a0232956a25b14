"""Executions that are remembered, in memory and on disk."""
