"""Options of every command that talks to a server: whom it trusts, and who it is."""

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from loki.client import Credentials

SERVER = "server"
"""The parameter by which a command that talks to one is known."""


def _file(option: str, variable: str, what: str) -> Any:
    return Annotated[Path | None, typer.Option(option, envvar=variable, metavar="FILE", help=what)]


OPTIONS = {
    "tls_ca": _file("--tls-ca", "LOKI_TLS_CA", "Use TLS; who signs the server's certificate."),
    "tls_cert": _file("--tls-cert", "LOKI_TLS_CERT", "Certificate of this client."),
    "tls_key": _file("--tls-key", "LOKI_TLS_KEY", "Its key."),
    "token_file": _file("--token-file", "LOKI_TOKEN_FILE", "The token that says who calls."),
}


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one command."""

    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    token_file: Path | None = None

    @property
    def encrypted(self) -> bool:
        return bool(self.tls_ca or self.tls_cert)

    def read(self) -> "Credentials":
        """Raises: ValueError for a file that cannot be read, and for a token that is none."""
        from loki.client import Credentials

        token = _content(self.token_file).decode("ascii", "replace").strip()
        if self.token_file and not (token.isascii() and token.isprintable() and token):
            raise ValueError(f"{self.token_file}: a token is one line of ASCII")
        return Credentials(
            ca=_content(self.tls_ca),
            certificate=_content(self.tls_cert),
            key=_content(self.tls_key),
            token=token,
        )


def _content(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path else b""
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None


NO_FILES = Files()
_files: ContextVar[Files] = ContextVar("files", default=NO_FILES)


def files() -> Files:
    """Those of the command that runs."""
    return _files.get()


def secure(app: typer.Typer) -> None:
    """Give the options to every command in it that talks to a server."""
    for command in app.registered_commands:
        if command.callback and SERVER in inspect.signature(command.callback).parameters:
            command.callback = secured(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            secure(group.typer_instance)


def secured(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with these options beside its own; `files` has them while it runs."""

    @wraps(command)
    def run(**given: Any) -> Any:
        own = {name: given.pop(name) for name in OPTIONS}
        before = _files.set(Files(**own))
        try:
            return command(**given)
        finally:
            _files.reset(before)

    signature = inspect.signature(command, eval_str=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter(name, keyword, default=None, annotation=annotation)
        for name, annotation in OPTIONS.items()
    ]
    parameters = [*signature.parameters.values(), *added]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
