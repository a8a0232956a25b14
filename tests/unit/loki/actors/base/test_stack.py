"""Hot loops begin a piece of Python's stack that has room for their handlers."""

from loki.actors.base.selector import LaneSelector
from loki.actors.base.stack import PIECE_BYTES, ROOM_FOR_HANDLERS, on_a_piece_of_its_own

VALUE_BYTES = 8


def test_a_function_claims_more_than_a_piece_and_works_as_before() -> None:
    @on_a_piece_of_its_own
    def sum_to(n: int) -> int:
        return n + sum_to(n - 1) if n else 0

    assert sum_to.__code__.co_stacksize * VALUE_BYTES > PIECE_BYTES
    assert sum_to(100) == 5050


def test_lanes_are_served_on_such_a_piece() -> None:
    assert LaneSelector._select.__code__.co_stacksize >= ROOM_FOR_HANDLERS
