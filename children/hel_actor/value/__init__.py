"""Stored values of scripts, those who wait for changes, and the cache."""
