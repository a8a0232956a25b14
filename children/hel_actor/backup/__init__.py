"""One archive of all that Hel keeps: made while Loki runs, looked into, and put back."""
