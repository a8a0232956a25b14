"""What Loki itself keeps: scripts and their revisions, history, field numbers, settings."""
