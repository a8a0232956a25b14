"""Between the messages of `loki.v1` and those of the actors."""
