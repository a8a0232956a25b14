"""Which services are healthy, as grpc.health.v1 names them."""

from collections.abc import Iterable, Mapping

from loki.messages.lifecycle import ChildState

SERVING = frozenset({ChildState.UP, ChildState.DEGRADED})
NEEDED = "dispatcher"
"""Without it no script runs; whatever else is down, some do."""


def health(
    states: Mapping[str, ChildState], *, connected: bool, whole: Iterable[str]
) -> dict[str, bool]:
    """Service -> whether it serves. What is switched off is no service at all.

    `connected` tells whether the root keeps us informed: without that nothing is known to serve.
    `whole` are the names under which Loki as a whole is asked for.
    """
    children = {
        name: connected and state in SERVING
        for name, state in states.items()
        if state is not ChildState.DISABLED
    }
    return children | dict.fromkeys(whole, children.get(NEEDED, False))
