"""What administrators ask, and what they are answered."""

from loki.core.supervisor.spec import Restart, Strategy
from tests.scenario.case import TEMPLATE, Case, case, tree

ALL, REST, DYNAMIC = Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE, Strategy.DYNAMIC
TRANSIENT = {"restart": Restart.TRANSIENT}
TEMPORARY = {"restart": Restart.TEMPORARY}
STUBBORN = {"shutdown_s": 0.2}
ENDLESS = {"shutdown_s": 60.0}  # Until it is killed.
MORE_THAN_1 = "end:shutdown:_more_than_1_restarts"

ADMINISTRATION = [
    case(
        "a child is added, started last and stopped first",
        tree("a b"),
        ("ask start d", "start:d =agreed"),
        ("stop", "stop:d stop:b stop:a end:shutdown"),
    ),
    case("one of that name runs", tree("a"), ("ask start a", "=refused:already_started")),
    case(
        "one of that name is stopped",
        tree("a b"),
        ("ask stop a", "stop:a =agreed"),
        ("ask start a", "=refused:already_present"),
    ),
    case(
        "an added one that cannot start is forgotten",
        tree("a"),
        ("break d 1; ask start d", "fail:d =refused:start_failed"),
        ("ask count", "=1/1/0/1"),
        ("ask start d", "start:d =agreed"),
    ),
    case(
        "an added one restarts as the others",
        tree("a"),
        ("ask start d", "start:d =agreed"),
        ("kill d", "start:d"),
    ),
    case(
        "an added one restarts with all",
        tree("a", ALL),
        ("ask start d", "start:d =agreed"),
        ("kill a", "stop:d start:a start:d"),
    ),
    case(
        "a stopped one stays stopped",
        tree("a b"),
        ("ask stop a", "stop:a =agreed"),
        ("kill b", "start:b"),
        ("ask count", "=2/1/0/2"),
    ),
    case(
        "a stopped one is started again",
        tree("a b"),
        ("ask stop a", "stop:a =agreed"),
        ("ask restart a", "start:a =agreed"),
    ),
    case(
        "stopping what is stopped is no error",
        tree("a"),
        ("ask stop a", "stop:a =agreed"),
        ("ask stop a", "=agreed"),
    ),
    case("stopping what is unknown is one", tree("a"), ("ask stop z", "=refused:not_found")),
    case(
        "a temporary one that is stopped is forgotten",
        tree("a b", a=TEMPORARY),
        ("ask stop a", "stop:a =agreed"),
        ("ask count", "=1/1/0/1"),
    ),
    case(
        "stopping counts for nothing",
        tree("a", intensity=0),
        ("ask stop a", "stop:a =agreed"),
        ("ask restart a", "start:a =agreed"),
    ),
    case(
        "one that does not stop is killed, and then it is stopped",
        tree("a b", a=STUBBORN),
        ("stubborn a; begin", "start:a start:b up"),
        ("ask stop a", "stop:a"),
        ("wait 0.2", "=agreed"),
    ),
    case("one that runs cannot be restarted", tree("a"), ("ask restart a", "=refused:running")),
    case("nor one that is unknown", tree("a"), ("ask restart z", "=refused:not_found")),
    case(
        "a restart by hand that fails leaves it stopped",
        tree("a b"),
        ("ask stop b", "stop:b =agreed"),
        ("break b 1; ask restart b", "fail:b =refused:start_failed"),
        ("ask count", "=2/1/0/2"),
    ),
    case("one that runs cannot be deleted", tree("a"), ("ask delete a", "=refused:running")),
    case("nor one that is unknown", tree("a"), ("ask delete z", "=refused:not_found")),
    case(
        "a stopped one can be deleted",
        tree("a b"),
        ("ask stop a", "stop:a =agreed"),
        ("ask delete a", "=agreed"),
        ("ask restart a", "=refused:not_found"),
        ("ask start a", "start:a =agreed"),
    ),
    case(
        "a transient one that ended well can be deleted",
        tree("a b", a=TRANSIENT),
        ("normal a", ""),
        ("ask delete a", "=agreed"),
    ),
    case("a reset of one that runs changes nothing", tree("a"), ("ask reset a", "=agreed")),
    case(
        "a reset of one that was stopped starts it",
        tree("a b"),
        ("ask stop a", "stop:a =agreed"),
        ("ask reset a", "start:a =agreed"),
    ),
    case(
        "a reset while others still stop is answered also where the start fails",
        tree("a b", Strategy.ONE_FOR_ALL, intensity=5, b=ENDLESS),
        ("stubborn b; begin", "start:a start:b up"),
        ("crash a", "stop:b"),
        ("break a 1; ask reset a", ""),
        ("kill b", "fail:a =refused:start_failed start:a start:b"),
    ),
    case(
        "who there is",
        tree("a b c", b=TEMPORARY),
        ("ask children", "=a:up,b:up,c:up"),
        ("crash b", ""),
        ("ask children", "=a:up,c:up"),
    ),
    case("how many", tree("a b", b={"supervisor": True}), ("ask count", "=2/2/1/1"), real=False),
    case(
        "what one was told",
        tree("a b"),
        ("ask spec b", "=spec:b"),
        ("ask spec z", "=refused:not_found"),
    ),
    case(
        "more restarts are allowed from now on",
        tree("a"),
        ("crash a", "start:a"),
        ("ask limits 3 60", "=agreed"),
        ("crash a", "start:a"),
        ("crash a", "start:a"),
        ("crash a", "end:shutdown:_more_than_3_restarts"),
    ),
    case(
        "limits that are none change nothing",
        tree("a"),
        ("ask limits 3 0", "=refused:illegal"),
        ("crash a", "start:a"),
        ("crash a", MORE_THAN_1),
    ),
    case(
        "while it stops, requests are refused and questions answered",
        tree("a b", b=ENDLESS),
        ("stubborn b; begin", "start:a start:b up"),
        ("stop", "stop:b"),
        ("ask start d", "=refused:ending"),
        ("ask stop a", "=refused:ending"),
        ("ask count", "=2/2/0/2"),
        ("kill b", "stop:a end:shutdown"),
    ),
    case(
        "who waits while it ends is answered",
        tree("a b", b=STUBBORN),
        ("stubborn b; begin", "start:a start:b up"),
        ("ask stop b; stop", "stop:b"),
        ("wait 0.2", "stop:a =agreed end:shutdown"),
    ),
    case(
        "a restart by hand in the middle of a group's restart is one too many",
        tree("a b c", REST, c=ENDLESS),
        ("stubborn c; begin", "start:a start:b start:c up"),
        ("kill b", "stop:c"),
        (
            "ask restart c; ask delete c; ask restart b",
            "=refused:restarting =refused:restarting =refused:restarting",
        ),
        ("kill c", "start:b start:c"),
    ),
]

DYNAMIC_CHILDREN = [
    case("it begins with none", tree(TEMPLATE, DYNAMIC), ("ask count", "=1/0/0/0")),
    case(
        "each is an instance of the template",
        tree(TEMPLATE, DYNAMIC),
        ("ask start x", "start:x =agreed"),
        ("ask start y", "start:y =agreed"),
        ("ask count", "=1/2/0/2"),
        ("kill x", "start:x"),
    ),
    case(
        "a name is taken",
        tree(TEMPLATE, DYNAMIC),
        ("ask start x", "start:x =agreed"),
        ("ask start x", "=refused:already_started"),
    ),
    case(
        "a stopped one is forgotten",
        tree(TEMPLATE, DYNAMIC),
        ("ask start x", "start:x =agreed"),
        ("ask stop x", "stop:x =agreed"),
        ("ask restart x", "=refused:not_found"),
        ("ask start x", "start:x =agreed"),
    ),
    case(
        "temporary ones come and go",
        tree(TEMPLATE, DYNAMIC, template=TEMPORARY, intensity=0),
        ("ask start x", "start:x =agreed"),
        ("kill x", ""),
        ("ask count", "=1/0/0/0"),
    ),
    case(
        "a transient one that ended well is forgotten",
        tree(TEMPLATE, DYNAMIC, template=TRANSIENT),
        ("ask start x", "start:x =agreed"),
        ("normal x", ""),
        ("ask count", "=1/0/0/0"),
    ),
    case(
        "their restarts count together",
        tree(TEMPLATE, DYNAMIC),
        ("ask start x", "start:x =agreed"),
        ("ask start y", "start:y =agreed"),
        ("kill x", "start:x"),
        ("kill y", f"stop:x {MORE_THAN_1}"),
    ),
    case(
        "one that cannot start is forgotten",
        tree(TEMPLATE, DYNAMIC),
        ("break x 1; ask start x", "fail:x =refused:start_failed"),
        ("ask count", "=1/0/0/0"),
    ),
]

CASES: list[Case] = [*ADMINISTRATION, *DYNAMIC_CHILDREN]
