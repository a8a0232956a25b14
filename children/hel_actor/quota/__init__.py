"""How many bytes each namespace takes, and how many it may."""
