"""The `init-tls` command: what other devices need to call this one, in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from loki.cli.connection import fail
from loki.cli.option import number
from loki.cli.view import say

MOST_DAYS = 3650
DAYS = 825  # The longest that Apple's clients trust.

Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Where the files are, or come to be.")
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        metavar="NAME_OR_IP",
        help="What clients call this device; as often as it has names. Its own host name, "
        "localhost, 127.0.0.1 and ::1 are added.",
    ),
]
Clients = Annotated[
    list[str] | None,
    typer.Option("--client", metavar="NAME", help="Make a client certificate of that name."),
]
Tokens = Annotated[
    list[str] | None,
    typer.Option("--token", metavar="NAME", help="Make a token for a principal of that name."),
]
Days = Annotated[
    int,
    typer.Option(parser=number(int, 1, MOST_DAYS), metavar="N", help="How long certificates hold."),
]


def init_tls(
    folder: Folder = Path("tls"),
    host: Hosts = None,
    client: Clients = None,
    token: Tokens = None,
    days: Days = DAYS,
) -> None:
    """Make what other devices need to call this one: an authority, certificates and tokens.

    What is in FOLDER already is used and never written over. To renew the server's certificate,
    remove server.crt and server.key and run this again; Loki takes new files without a restart.
    """
    from loki.certificate import now_utc
    from loki.cli.tls_folder import TlsFolder
    from loki.errors import LokiError

    wanted = TlsFolder(folder, tuple(host or ()), tuple(client or ()), tuple(token or ()), days)
    try:
        for line in wanted.make(now_utc()):
            say(line)
    except LokiError as error:
        fail(error.message)
    except OSError as error:
        fail(f"{error.filename or folder}: {error.strerror}")
