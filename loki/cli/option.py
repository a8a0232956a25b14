"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_SERVER = "127.0.0.1:50070"

Server = Annotated[
    str,
    typer.Option(
        "--server", envvar="LOKI_SERVER", metavar="HOST:PORT", help="The Loki to talk to."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Settings; without it loki.toml in the current folder, else the defaults.",
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Arguments: key=5, key=text, key=base64:AAE=, key='[1, 2]', key=@file (@@ is an @).",
    ),
]
Stream = Annotated[bool, typer.Option("--stream", help="Show events while the script runs.")]
TimeoutS = Annotated[
    float | None,
    typer.Option("--timeout", min=0.001, metavar="S", help="Give up after this many seconds."),
]
