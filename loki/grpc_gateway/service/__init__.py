"""The services that are always there."""
