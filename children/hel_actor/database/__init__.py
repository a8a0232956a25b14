"""Hel's SQLite database: one writer, commits in groups, migrations, room on the disk."""
