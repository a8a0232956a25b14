"""Who gets a place, and who does not."""

from contextlib import ExitStack

import pytest

from loki.core.place import Places
from loki.errors import ErrorCode, ResourceLimitExceeded


@pytest.mark.parametrize(
    ("most", "held", "holder", "gets"),
    [
        (8, "", "a", True),
        (8, "aaaaa", "a", True),
        (8, "aaaaaa", "a", False),  # The last quarter is for others,
        (8, "aaaaaa", "b", True),
        (8, "aaaaaab", "b", False),  # who get one each.
        (8, "aaaaaab", "c", True),
        (8, "aaaaaabc", "d", False),
        (8, "aaabbb", "a", False),
        (1, "", "a", True),
        (1, "a", "b", False),
        (3, "aa", "a", True),  # Too few to share.
    ],
)
def test_who_has_one_leaves_the_last_to_who_has_none(
    most: int, held: str, holder: str, gets: bool
) -> None:
    places = Places(most, "watch")
    with ExitStack() as stack:
        for each in held:
            stack.enter_context(places.taken(each))
        if gets:
            stack.enter_context(places.taken(holder))
            assert places.count == len(held) + 1
        else:
            with pytest.raises(
                ResourceLimitExceeded, match=f"^{len(held)} watch already"
            ) as raised:
                stack.enter_context(places.taken(holder))
            assert raised.value.code is ErrorCode.QUOTA
            assert places.count == len(held)
    assert places.count == 0


def test_a_place_is_given_back_whatever_happens() -> None:
    places = Places(1, "watch")
    with pytest.raises(KeyError), places.taken("a"):
        raise KeyError
    with places.taken("b"):
        assert places.count == 1
