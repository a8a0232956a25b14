"""The language of the table.

A case is a supervisor, then steps: what happens, and the trace that must follow.

Happens: `begin`; `crash a`, `normal a`, `shutdown a`, `kill a` (how a child ends by itself);
`hang a`; `break a 2` (its next two starts fail); `stubborn a` (it will ignore being stopped);
`wait 0.3` (seconds); `stop` (the supervisor is told to); `ask start a`, `ask stop a`,
`ask restart a`, `ask reset a`, `ask delete a`, `ask limits 3 5`, `ask count`, `ask children`,
`ask spec a`. Several, parted by `;`, happen in one go.

Trace: `start:a` it came up; `fail:a` it tried to; `stop:a` it was told to stop; `up` the first
start is complete; `=agreed`, `=refused:running`, `=…` an answer; `end:reason` the supervisor ended.
"""

from dataclasses import dataclass
from typing import Any

from loki.core.supervisor.spec import Strategy
from loki.core.supervisor.supervision import ChildSpec, SupervisorSpec

Step = tuple[str, str]
TEMPLATE = "template"


@dataclass(frozen=True)
class Case:
    name: str
    spec: SupervisorSpec
    steps: tuple[Step, ...]
    real: bool = True  # Whether it is worth its time on real actors.


def tree(names: str, strategy: Strategy = Strategy.ONE_FOR_ONE, **given: Any) -> SupervisorSpec:
    """Children by their names, with what `given` says: of a child by its name, or of the tree.

    Restarts are remembered for a minute: on a busy machine two may be seconds apart.
    """
    children = tuple(ChildSpec(name, **given.pop(name, {})) for name in names.split())
    return SupervisorSpec(children, strategy, **{"period_s": 60.0} | given)


def begun(spec: SupervisorSpec) -> Step:
    """A first start where nothing goes wrong."""
    dynamic = spec.strategy is Strategy.DYNAMIC
    starts = [] if dynamic else [f"start:{child.name}" for child in spec.children]
    return "begin", " ".join([*starts, "up"])


def case(name: str, spec: SupervisorSpec, *steps: Step, real: bool = True) -> Case:
    """Begins well, unless its first step is its own `begin` (or something before that)."""
    own = any("begin" in what or what.startswith("stubborn") for what, _ in steps[:1])
    return Case(name, spec, steps if own else (begun(spec), *steps), real)
