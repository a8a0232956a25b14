"""How much the database may grow while the disk gets full.

A change is written twice, into the log and then into the file. Were the log let grow until the disk
is full, there would be no room left to put it into the file, and nobody could even delete: that is
written, too. So near the end the log is put into the file after every commit, and its own blocks
stay and serve the next one; and SQLite is told how many pages both can hold.
"""

LOW_BYTES = 8 * 1024 * 1024
"""Free on the disk. Twice what the log takes before SQLite puts it into the file by itself."""

SPARE_BYTES = 256 * 1024
"""For changes that need no page more, such as a deletion, which the log holds as well."""

MOST_PAGES = 4_294_967_294  # Source: sqlite.org/limits.html, 12.


def is_low(free_bytes: int) -> bool:
    return free_bytes < LOW_BYTES


def most_pages(pages: int, page_bytes: int, free_bytes: int) -> int:
    """How many pages a file of so many may have after the next change."""
    if not is_low(free_bytes):
        return MOST_PAGES
    return pages + max(0, free_bytes - SPARE_BYTES) // (2 * page_bytes)
