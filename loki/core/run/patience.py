"""How long a script waits for a child that is down, and what it is told then."""

from loki.errors import ErrorCode
from loki.messages.envelope import Failure

FIRST_LOOK_S = 0.002
LONGEST_S = 0.05  # Between two looks; each costs the runner one connect.
RETRY_AFTER_S = 0.5


def next_look_s(waited_s: float, wait_for_child_ms: int) -> float | None:
    """Seconds until the child is asked again; None when that was long enough.

    The last look comes when the time is over.
    """
    left_s = wait_for_child_ms / 1000 - waited_s
    if left_s <= 0:
        return None
    return min(max(waited_s / 2, FIRST_LOOK_S), LONGEST_S, left_s)


def child_down(child: str, wait_for_child_ms: int) -> Failure:
    """The refusal of a call that never reached its child."""
    if wait_for_child_ms:
        text = (
            f"{child} is down; it did not come back within wait_for_child_ms = {wait_for_child_ms}"
        )
    else:
        text = f"{child} is down; wait_for_child_ms lets a tool wait for it"
    return Failure(
        code=ErrorCode.CHILD_DOWN,
        message=text,
        details={"child": child},
        retry_after_s=RETRY_AFTER_S,
    )
