"""Thin actors around the decisions in `loki.core`, and the door through which they talk."""
