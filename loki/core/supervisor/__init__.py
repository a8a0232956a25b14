"""Which child is started, stopped or restarted, when it is given up, and what is told of it."""
