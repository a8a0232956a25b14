"""Which scripts there are, and what becomes of them when their files or definitions change."""
