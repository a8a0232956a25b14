"""How much a value weighs in an answer, told without a look at all of one that weighs too much."""

from loki.messages.value import ScriptValue

VALUE_BYTES = 24
"""What one value, or one key, takes in a message of `loki.v1` at most, besides its text."""


def too_heavy(value: ScriptValue, most_bytes: int) -> bool:
    """Whether it may take more than that as a `loki.v1.ScriptValue`."""
    waiting, left = [value], most_bytes
    while waiting and left >= len(waiting) * VALUE_BYTES:
        each = waiting.pop()
        left -= VALUE_BYTES
        match each:
            case str():
                left -= len(each.encode(errors="replace"))
            case bytes():
                left -= len(each)
            case list():
                waiting += each
            case dict():
                waiting += each
                waiting += each.values()
    return bool(waiting) or left < 0
