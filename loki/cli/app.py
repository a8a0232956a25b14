"""The `loki` command with all its subcommands; what is heavy is imported inside of them."""

import typer

from loki.cli import (
    backup,
    check,
    config,
    demo,
    doctor,
    event,
    execution,
    history,
    init_tls,
    library,
    log,
    lua_api,
    restore,
    schema,
    series,
    serve,
    status,
)
from loki.cli.credential import secure
from loki.cli.flag import show_flags

app = typer.Typer(
    name="loki",
    help="Run small Lua scripts on devices and call each one over gRPC, safely.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    serve.serve,
    check.check,
    lua_api.lua_api,
    demo.demo,
    execution.call,
    execution.run,
    library.list_,
    library.describe,
    library.register,
    library.rollback,
    library.remove,
    schema.schema,
    event.events,
    history.executions,
    history.cancel,
    log.logs,
    backup.backup,
    restore.restore,
    doctor.doctor,
    init_tls.init_tls,
    status.status,
    status.reset,
    status.version,
):
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)
app.add_typer(series.app, name="series")
app.add_typer(config.app, name="config")
secure(app)
show_flags(app)
