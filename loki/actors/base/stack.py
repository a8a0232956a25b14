"""Python's own stack, where a hot loop must not straddle the end of one of its pieces."""

from collections.abc import Callable
from types import FunctionType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

PIECE_BYTES = 16 * 1024
ROOM_FOR_HANDLERS = 8192
"""Values of 8 bytes: several times what handlers were seen to nest."""


def on_a_piece_of_its_own(function: Callable[P, R]) -> Callable[P, R]:
    """Make calls of `function` begin a new piece of the stack, with room for all that it calls.

    CPython keeps its frames in pieces of 16 KiB. Where one happens to end inside a hot loop, every
    call across the end maps memory, and unmaps it on the way back; five of them cost more than the
    handlers that they served. A frame that claims more than a piece holds gets a larger one, once,
    when the loop is entered; memory that no frame uses is never touched.
    Source: CPython 3.11, Python/pystate.c, push_chunk.
    """
    assert isinstance(function, FunctionType)  # noqa: S101
    code = function.__code__
    function.__code__ = code.replace(co_stacksize=code.co_stacksize + ROOM_FOR_HANDLERS)
    return function
