"""How much the database may grow while the disk gets full."""

import pytest
from hel_actor.database.room import LOW_BYTES, MOST_PAGES, SPARE_BYTES, is_low, most_pages

PAGE_BYTES = 4096


@pytest.mark.parametrize(
    ("free_bytes", "pages"),
    [
        (0, 10),
        (SPARE_BYTES, 10),
        (SPARE_BYTES + 2 * PAGE_BYTES - 1, 10),
        (SPARE_BYTES + 2 * PAGE_BYTES, 11),
        (LOW_BYTES - 1, 10 + (LOW_BYTES - 1 - SPARE_BYTES) // 8192),
        (LOW_BYTES, MOST_PAGES),
    ],
)
def test_a_page_needs_room_in_the_log_and_in_the_file(free_bytes: int, pages: int) -> None:
    assert most_pages(10, PAGE_BYTES, free_bytes) == pages
    assert is_low(free_bytes) is (pages != MOST_PAGES)
