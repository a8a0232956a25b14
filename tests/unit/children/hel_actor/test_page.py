"""Limits of what is listed at once."""

import pytest
from hel_actor import page
from hel_actor.file import jail
from hel_actor.file.resolver import MAX_NAME_BYTES
from hel_actor.value import keyvalue

from loki.errors import ErrorCode, InvalidArgument, ResourceLimitExceeded

MESSAGE_BYTES = 8 * 1024 * 1024
HEAD_BYTES = 5  # Of a string of any length, in msgpack.


def test_no_page_is_longer_than_a_message() -> None:
    assert keyvalue.MAX_KEYS * (keyvalue.MAX_KEY_BYTES + HEAD_BYTES) < MESSAGE_BYTES
    assert jail.MAX_NAMES * (MAX_NAME_BYTES + HEAD_BYTES) < MESSAGE_BYTES


def test_a_limit_is_at_least_1_and_none_is_all() -> None:
    assert page.wanted(None, 10) == 11
    assert [page.wanted(limit, 10) for limit in (1, 10)] == [1, 10]
    for limit in (0, -1, 11):
        with pytest.raises(InvalidArgument, match=f"limit is {limit}; 1 to 10 are allowed"):
            page.wanted(limit, 10)


def test_one_too_many_is_refused_with_the_way_to_pages() -> None:
    assert page.whole(("a", "b"), 2, "keys") == ("a", "b")
    with pytest.raises(ResourceLimitExceeded, match="more than 1 keys; ask for pages") as refused:
        page.whole(("a", "b"), 1, "keys")
    assert refused.value.code is ErrorCode.QUOTA
