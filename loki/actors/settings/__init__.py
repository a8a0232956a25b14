"""The settings while Loki runs: who owns them, and what becomes of a change."""
