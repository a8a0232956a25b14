"""Looks at Hel's data without changing it, and says what is wrong."""
