"""Files of scripts, each namespace in a directory that no path leaves."""
