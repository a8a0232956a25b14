"""Children that stay away for a while, and children that hang."""

from loki.core.supervisor.spec import Backoff, Strategy
from tests.scenario.case import Case, case, tree

ALL, REST = Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
SOON = {"backoff": Backoff(intensity=1, period_s=60, shortest_s=0.2, longest_s=0.4, jitter=0)}
LATER = {"backoff": Backoff(intensity=1, period_s=60, shortest_s=500, longest_s=500, jitter=0)}
PATIENT = {"backoff": Backoff(intensity=0, period_s=60, shortest_s=500, longest_s=500, jitter=0)}
MORE_THAN_0 = "end:shutdown:_more_than_0_restarts"

BACK_OFF = [
    case(
        "one that depends on the outside may come later, and delays nobody",
        tree("a b c", b=SOON),
        ("break b 2; begin", "start:a fail:b fail:b start:c up"),
        ("wait 0.2", "start:b"),
        real=False,  # Real actors may need longer than 0.2 s to start `c`.
    ),
    case(
        "one that stays away at first delays nobody",
        tree("a b c", b=LATER),
        ("break b 2; begin", "start:a fail:b fail:b start:c up"),
        ("ask reset b", "start:b =agreed"),
    ),
    case(
        "once at once, then after a delay, then after twice that",
        tree("a b", a=SOON, intensity=0),
        ("kill a", "start:a"),
        ("kill a", ""),
        ("wait 0.2", "start:a"),
        ("kill a", ""),
        ("wait 0.4", "start:a"),
    ),
    case(
        "it never makes its supervisor give up",
        tree("a b", a=SOON, intensity=0),
        ("break a 4; kill a", "fail:a"),
        ("wait 0.2", "fail:a"),
        ("wait 0.4", "fail:a"),
        ("wait 0.4", "fail:a"),
        ("wait 0.4", "start:a"),
    ),
    case(
        "out of service it is reset by hand",
        tree("a b", a=PATIENT),
        ("kill a", ""),
        ("ask restart a", "=refused:restarting"),
        ("ask reset a", "start:a =agreed"),
        ("ask count", "=2/2/0/2"),
    ),
    case(
        "out of service it can be stopped for good",
        tree("a b", a=PATIENT),
        ("kill a", ""),
        ("ask stop a", "=agreed"),
        ("ask restart a", "start:a =agreed"),
    ),
    case(
        "a reset that fails says so, and it goes on trying",
        tree("a b", a=LATER, intensity=0),
        ("kill a", "start:a"),
        ("break a 1; kill a", ""),
        ("ask reset a", "fail:a =refused:start_failed start:a"),
    ),
    case(
        "quiet times are rewarded",
        tree(
            "a",
            a={"backoff": Backoff(intensity=0, shortest_s=1, longest_s=8, jitter=0, quiet_s=60)},
        ),
        ("kill a", ""),
        ("wait 1", "start:a"),
        ("kill a", ""),
        ("wait 1", ""),
        ("wait 1", "start:a"),
        ("wait 61", ""),
        ("kill a", ""),
        ("wait 1", "start:a"),
        real=False,
    ),
    case(
        "its group waits with it",
        tree("a b c", REST, b=SOON, intensity=0),
        ("kill b", "stop:c start:b start:c"),
        ("kill b", "stop:c"),
        ("wait 0.2", "start:b start:c"),
    ),
    case(
        "told to stop it does not wait",
        tree("a b", a=PATIENT),
        ("kill a", ""),
        ("stop", "stop:b end:shutdown"),
    ),
]

HEART = {"heartbeat_s": 0.3}
UNWATCHED = {"missed_heartbeats": 0}  # A busy machine may keep it waiting.
HANGS = [
    case(
        "one that hangs is killed and started again",
        tree("a b", b=UNWATCHED, **HEART),
        ("hang a; wait 1.2", "start:a"),
    ),
    case(
        "with all, where all depend on it",
        tree("a b c", ALL, a=UNWATCHED, c=UNWATCHED, **HEART),
        ("hang b; wait 1.2", "stop:c stop:a start:a start:b start:c"),
    ),
    case(
        "hanging counts",
        tree("a b", intensity=0, b=UNWATCHED, **HEART),
        ("hang a; wait 1.2", f"stop:b {MORE_THAN_0}"),
    ),
    case(
        "one that nobody watches may hang, until it has to stop",
        tree("a b", a=UNWATCHED, b=UNWATCHED | {"shutdown_s": 0.2}, heartbeat_s=0.1),
        ("hang b; wait 0.6", ""),
        ("stop", ""),
        ("wait 0.2", "stop:a end:shutdown"),
    ),
    case(
        "one that hangs while it is stopped by hand",
        tree("a b", b={"shutdown_s": 0.2}, heartbeat_s=0.0),
        ("hang b; ask stop b", ""),
        ("wait 0.2", "=agreed"),
        ("ask restart b", "start:b =agreed"),
    ),
]

CASES: list[Case] = [*BACK_OFF, *HANGS]
