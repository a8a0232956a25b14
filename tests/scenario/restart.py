"""Deaths, and what they lead to."""

from loki.core.supervisor.spec import AutoShutdown, Restart, Strategy
from tests.scenario.case import Case, case, tree

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
TRANSIENT = {"restart": Restart.TRANSIENT}
TEMPORARY = {"restart": Restart.TEMPORARY}
SIGNIFICANT = {"restart": Restart.TRANSIENT, "significant": True}
FLEETING = {"restart": Restart.TEMPORARY, "significant": True}
ANY, ALL_OF = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT
MORE_THAN_1 = "end:shutdown:_more_than_1_restarts"
MORE_THAN_0 = "end:shutdown:_more_than_0_restarts"
STUBBORN = {"shutdown_s": 0.2}
BRUTAL = {"shutdown_s": 0.0}

STARTS = [
    case(
        "children start from left to right", tree("a b c"), ("begin", "start:a start:b start:c up")
    ),
    case("a supervisor without children is up at once", tree(""), ("begin", "up")),
    case(
        "one that cannot start takes back those before it, from right to left",
        tree("a b c d"),
        ("break c 1; begin", "start:a start:b fail:c stop:b stop:a end:broken"),
    ),
    case("the first that cannot start", tree("a b"), ("break a 1; begin", "fail:a end:broken")),
    case(
        "a temporary one must come up at first, too",
        tree("a b", b=TEMPORARY),
        ("break b 1; begin", "start:a fail:b stop:a end:broken"),
    ),
    case(
        "it stops from right to left", tree("a b c"), ("stop", "stop:c stop:b stop:a end:shutdown")
    ),
    case("without children it stops at once", tree(""), ("stop", "end:shutdown")),
    case(
        "stopped before it began, it ends",
        tree("a b"),
        ("stubborn b; stop", "end:shutdown"),
        real=False,
    ),
    case(
        "one that does not stop is killed, then the others stop",
        tree("a b c", b=STUBBORN),
        ("stubborn b; begin", "start:a start:b start:c up"),
        ("stop", "stop:c stop:b"),
        ("wait 0.2", "stop:a end:shutdown"),
    ),
    case(
        "one that is killed at once is not asked",
        tree("a b c", b=BRUTAL),
        ("stop", "stop:c stop:a end:shutdown"),
    ),
]

ONE_FOR_ONE = [
    case("only the one that crashed", tree("a b c"), ("crash b", "start:b")),
    case("only the one that was killed", tree("a b c"), ("kill c", "start:c")),
    case("a permanent one also after a normal end", tree("a b"), ("normal a", "start:a")),
    case("a permanent one also after a shutdown", tree("a b"), ("shutdown a", "start:a")),
    case("a transient one after a crash", tree("a b", a=TRANSIENT), ("crash a", "start:a")),
    case("a transient one after a kill", tree("a b", a=TRANSIENT), ("kill a", "start:a")),
    case(
        "a transient one not after a normal end",
        tree("a b", a=TRANSIENT),
        ("normal a", ""),
        ("ask count", "=2/1/0/2"),
        ("ask restart a", "start:a =agreed"),
    ),
    case(
        "a transient one not after a shutdown",
        tree("a b", a=TRANSIENT),
        ("shutdown a", ""),
        ("ask count", "=2/1/0/2"),
    ),
    *(
        case(
            f"a temporary one never, after {how}",
            tree("a b", a=TEMPORARY),
            (f"{how} a", ""),
            ("ask count", "=1/1/0/1"),
            ("ask restart a", "=refused:not_found"),
        )
        for how in ("crash", "kill", "normal", "shutdown")
    ),
]

ONE_FOR_ALL = [
    case("all, in order", tree("a b c", ALL), ("crash b", "stop:c stop:a start:a start:b start:c")),
    case(
        "all after the first",
        tree("a b c", ALL),
        ("kill a", "stop:c stop:b start:a start:b start:c"),
    ),
    case(
        "all after the last",
        tree("a b c", ALL),
        ("kill c", "stop:b stop:a start:a start:b start:c"),
    ),
    case("alone it is all", tree("a", ALL), ("crash a", "start:a")),
    case(
        "a temporary sibling is stopped and forgotten",
        tree("a b c", ALL, b=TEMPORARY),
        ("crash a", "stop:c stop:b start:a start:c"),
        ("ask count", "=2/2/0/2"),
    ),
    case(
        "a temporary one that dies concerns nobody",
        tree("a b c", ALL, b=TEMPORARY),
        ("crash b", ""),
        ("ask count", "=2/2/0/2"),
    ),
    case(
        "a transient sibling starts again, for it did not end by itself",
        tree("a b", ALL, b=TRANSIENT),
        ("crash a", "stop:b start:a start:b"),
    ),
    case(
        "a transient one that ended well concerns nobody",
        tree("a b", ALL, b=TRANSIENT),
        ("normal b", ""),
    ),
    case(
        "a transient one that had ended well starts with the others",
        tree("a b c", ALL, b=TRANSIENT),
        ("normal b", ""),
        ("crash a", "stop:c start:a start:b start:c"),
    ),
    case(
        "one that was stopped by hand starts with the others",
        tree("a b c", ALL),
        ("ask stop b", "stop:b =agreed"),
        ("crash a", "stop:c start:a start:b start:c"),
    ),
    case(
        "a sibling that does not stop is killed",
        tree("a b c", ALL, c=STUBBORN),
        ("stubborn c; begin", "start:a start:b start:c up"),
        ("crash a", "stop:c"),
        ("wait 0.2", "stop:b start:a start:b start:c"),
    ),
    case(
        "a sibling that is killed at once",
        tree("a b c", ALL, c=BRUTAL),
        ("crash a", "stop:b start:a start:b start:c"),
    ),
    case(
        "a death in the middle of the group's restart is a part of it",
        tree("a b c d", ALL),
        ("kill b; kill c", "stop:d stop:a start:a start:b start:c start:d"),
        real=False,
    ),
    case(
        "a failed restart stops those that had started, and all are tried again",
        tree("a b c", ALL, intensity=3),
        ("break b 1; crash a", "stop:c stop:b start:a fail:b stop:a start:a start:b start:c"),
    ),
]

REST_FOR_ONE = [
    case(
        "it and the later ones",
        tree("a b c d", REST),
        ("crash b", "stop:d stop:c start:b start:c start:d"),
    ),
    case(
        "the first takes all",
        tree("a b c", REST),
        ("kill a", "stop:c stop:b start:a start:b start:c"),
    ),
    case("the last takes nobody", tree("a b c", REST), ("kill c", "start:c")),
    case(
        "a temporary later one is stopped and forgotten",
        tree("a b c", REST, c=TEMPORARY),
        ("crash a", "stop:c stop:b start:a start:b"),
        ("ask count", "=2/2/0/2"),
    ),
    case(
        "a temporary one that dies concerns nobody",
        tree("a b c", REST, b=TEMPORARY),
        ("crash b", ""),
        ("crash a", "stop:c start:a start:c"),
    ),
    case(
        "a transient one that ended well concerns nobody",
        tree("a b c", REST, b=TRANSIENT),
        ("normal b", ""),
        ("ask count", "=3/2/0/3"),
    ),
    case(
        "an earlier death during a restart takes all",
        tree("a b c", REST, intensity=5),
        ("kill a; kill c", "stop:b start:a start:b start:c"),
        real=False,
    ),
    case(
        "a failed restart is tried again with those after it",
        tree("a b c d", REST, intensity=3),
        ("break c 1; kill b", "stop:d stop:c start:b fail:c start:c start:d"),
    ),
]

INTENSITY = [
    case(
        "one restart too many, and it stops the others and ends",
        tree("a b c"),
        ("crash b", "start:b"),
        ("crash b", f"stop:c stop:a {MORE_THAN_1}"),
    ),
    case(
        "restarts of different children count together",
        tree("a b c"),
        ("crash a", "start:a"),
        ("crash c", f"stop:b stop:a {MORE_THAN_1}"),
    ),
    case("none is allowed", tree("a b", intensity=0), ("crash a", f"stop:b {MORE_THAN_0}")),
    case(
        "old ones are forgotten",
        tree("a b", period_s=5.0),
        ("crash a", "start:a"),
        ("wait 5.1", ""),
        ("crash a", "start:a"),
        ("wait 2", ""),
        ("crash b", f"stop:a {MORE_THAN_1}"),
        real=False,
    ),
    case(
        "a group's restart counts once",
        tree("a b c d", ALL),
        ("crash b", "stop:d stop:c stop:a start:a start:b start:c start:d"),
        ("crash d", f"stop:c stop:b stop:a {MORE_THAN_1}"),
    ),
    case(
        "failed restarts count",
        tree("a b"),
        ("break b 9; crash b", f"fail:b stop:a {MORE_THAN_1}"),
    ),
    case(
        "failed restarts of a group count",
        tree("a b c", ALL),
        ("break b 9; crash a", f"stop:c stop:b start:a fail:b stop:a {MORE_THAN_1}"),
    ),
    case(
        "ends that call for no restart do not count",
        tree("a b c", a=TRANSIENT, b=TEMPORARY, intensity=0),
        ("normal a", ""),
        ("crash b", ""),
        ("ask count", "=2/1/0/2"),
    ),
    case(
        "giving up, it kills one whose process it does not know yet",
        tree("a b c", a=BRUTAL, b=BRUTAL, c=BRUTAL),
        ("kill c; crash a", f"start:c {MORE_THAN_1}"),
        real=False,
    ),
    case(
        "giving up, it kills one that does not stop",
        tree("a b", intensity=0, a=STUBBORN),
        ("stubborn a; begin", "start:a start:b up"),
        ("crash b", "stop:a"),
        ("wait 0.2", MORE_THAN_0),
    ),
]

AUTO_SHUTDOWN = [
    case(
        "any significant one that ends well ends it",
        tree("a b c", a=SIGNIFICANT, b=SIGNIFICANT, auto_shutdown=ANY),
        ("normal b", "stop:c stop:a end:shutdown:_b_has_ended"),
    ),
    case(
        "one that crashes restarts instead",
        tree("a b", a=SIGNIFICANT, auto_shutdown=ANY),
        ("crash a", "start:a"),
    ),
    case(
        "a temporary significant one ends it, however it ends",
        tree("a b", a=FLEETING, auto_shutdown=ANY),
        ("crash a", "stop:b end:shutdown:_a_has_ended"),
    ),
    case(
        "only the last of all significant ones ends it",
        tree("a b c", a=SIGNIFICANT, b=SIGNIFICANT, auto_shutdown=ALL_OF),
        ("normal a", ""),
        ("normal b", "stop:c end:shutdown:_b_has_ended"),
    ),
    case(
        "one that was stopped by hand is not one that ended",
        tree("a b", a=SIGNIFICANT, auto_shutdown=ANY),
        ("ask stop a", "stop:a =agreed"),
    ),
    case(
        "one that stops with its group is not one that ended",
        tree("a b c", ALL, b=SIGNIFICANT, auto_shutdown=ANY),
        ("crash a", "stop:c stop:b start:a start:b start:c"),
    ),
    case(
        "others may come and go",
        tree("a b c", a=SIGNIFICANT, b=TRANSIENT, auto_shutdown=ALL_OF),
        ("normal b", ""),
        ("crash c", "start:c"),
    ),
]

CASES: list[Case] = [
    *STARTS,
    *ONE_FOR_ONE,
    *ONE_FOR_ALL,
    *REST_FOR_ONE,
    *INTENSITY,
    *AUTO_SHUTDOWN,
]
