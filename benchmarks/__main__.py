"""`python -m benchmarks [NAME…] [--json]`: run the scenarios and print one table."""

import json
import sys
from types import ModuleType

from rich.console import Console
from rich.table import Table

from benchmarks import (
    call,
    engine,
    footprint,
    idle,
    library,
    overshoot,
    recovery,
    runaway,
    series,
    state,
    stream,
    typed,
    value,
)
from benchmarks.result import Figure

SCENARIOS: dict[str, ModuleType] = {
    "call": call,
    "overshoot": overshoot,
    "recovery": recovery,
    "idle": idle,
    "runaway": runaway,
    "engine": engine,
    "footprint": footprint,
    "state": state,
    "series": series,
    "value": value,
    "typed": typed,
    "stream": stream,
    "library": library,
}


def main(arguments: list[str]) -> int:
    names = [name for name in arguments if not name.startswith("-")] or list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        print(f"no scenario {unknown[0]}; there are {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    console = Console(stderr=True)
    figures: list[Figure] = []
    for name in names:
        with console.status(f"{name} …"):
            figures += SCENARIOS[name].run()
    if "--json" in arguments:
        print(json.dumps([figure.as_dict() for figure in figures], indent=1))
    else:
        show(figures)
    return 0


def show(figures: list[Figure]) -> None:
    table = Table("what", "measured", "goal", "met", "detail")
    for figure in figures:
        table.add_row(*figure.row())
    Console(width=160).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
