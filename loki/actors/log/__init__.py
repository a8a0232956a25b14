"""The log on disk: who writes it, and how it is read."""
