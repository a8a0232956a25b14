"""Tools as people write them, checked and turned into scripts."""
