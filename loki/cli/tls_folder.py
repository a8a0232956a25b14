"""A folder of what TLS needs: what one command adds to it, and what people do with it then."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loki.certificate import (
    PairFiles,
    make_authority,
    make_client,
    make_server,
    make_token,
    read_authority,
)
from loki.errors import ConfigurationError
from loki.security_setting import NAME, NAME_RULE

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
BARE = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that TOML takes without quotes."""


@dataclass(frozen=True, slots=True)
class TlsFolder:
    """What one command is to make in it."""

    folder: Path
    hosts: tuple[str, ...]
    clients: tuple[str, ...]
    tokens: tuple[str, ...]
    days: int

    def make(self, now: datetime) -> Iterator[str]:
        """What was made, line by line, and what to do with it. Raises: LokiError, OSError."""
        self._check_names()
        self._check_free()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = [*self._authority(now), *self._rest(now)]
        if not made:
            raise ConfigurationError(
                f"{self.folder} has all of it already; to renew a certificate, remove its files "
                "first; --client NAME and --token NAME make more"
            )
        yield from made
        yield from (
            "",
            f"# For loki.toml, if it is where '{self.folder}' starts:",
            *self._settings(),
        )
        yield from ("", "# On a client, with a copy of these files:", *self._commands())

    def _check_names(self) -> None:
        for name in (*self.clients, *self.tokens):
            if not NAME.fullmatch(name):
                raise ConfigurationError(f"'{name}' is no name: {NAME_RULE}")

    def _check_free(self) -> None:
        """Before anything is made: what fails half-way would be in the way the next time."""
        there = [(path, option) for path, option in self._asked() if path.exists()]
        if there:
            paths, options = (
                ", ".join(dict.fromkeys(map(str, each))) for each in zip(*there, strict=True)
            )
            raise ConfigurationError(
                f"already there, and never written over: {paths}; to have them made anew, remove "
                f"them first; to keep them, leave out {options}"
            )

    def _asked(self) -> Iterator[tuple[Path, str]]:
        """Each file that the command is to make, and which of its options says so."""
        pairs = [(name, f"--client {name}") for name in self.clients]
        if self.hosts:
            pairs.insert(0, ("server", "--host"))
        for name, option in pairs:
            files = self._pair(name)
            yield from ((files.certificate, option), (files.key, option))
        for name in self.tokens:
            yield self._token(name), f"--token {name}"

    def _pair(self, name: str) -> PairFiles:
        return PairFiles.of(self.folder, name)

    def _authority(self, now: datetime) -> Iterator[str]:
        files = self._pair("ca")
        if not files.present():
            make_authority(files, f"Loki authority of {socket.gethostname()}", now)
            yield f"made {files.certificate} and {files.key}; who has this key can let in anybody"

    def _rest(self, now: datetime) -> Iterator[str]:
        authority, server = read_authority(self._pair("ca")), self._pair("server")
        if self.hosts or not server.present():
            hosts = self._all_hosts()
            until = make_server(server, authority, hosts, self.days, now)
            names = ", ".join(hosts)
            yield f"made {server.certificate} and {server.key} for {names}{_until(until)}"
        for name in self.clients:
            files = self._pair(name)
            until = make_client(files, authority, name, self.days, now)
            yield f"made {files.certificate} and {files.key}{_until(until)}"
        for name in self.tokens:
            path = self._token(name)
            make_token(path)
            yield f"made {path}"

    def _token(self, name: str) -> Path:
        return self.folder / f"{name}.token"

    def _all_hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.hosts, socket.gethostname(), *LOCAL_HOSTS)))

    def _settings(self) -> Iterator[str]:
        server = self._pair("server")
        yield 'grpc_host = "0.0.0.0"'
        yield "[security]"
        yield f'tls_certificate = "{server.certificate}"'
        yield f'tls_key = "{server.key}"'
        if self.clients:
            every = "  # Then every client needs a certificate, those with tokens too."
            ca = self._pair("ca").certificate
            yield f'tls_client_ca = "{ca}"{every if self.tokens else ""}'
        for name in self.clients:
            yield from _principal(name, f'certificate = "{name}"')
        for name in self.tokens:
            yield from _principal(name, f'token_file = "{self._token(name)}"')
        if not self.clients and not self.tokens:
            yield f"# And who may call: loki init-tls {self.folder} --token NAME (or --client NAME)"

    def _commands(self) -> Iterator[str]:
        begin = f"loki list --server {self._all_hosts()[0]}:50070 --tls-ca {self.folder}/ca.crt"
        for name in self.clients:
            files = self._pair(name)
            yield f"{begin} --tls-cert {files.certificate} --tls-key {files.key}"
        for name in self.tokens:
            yield f"{begin} --token-file {self._token(name)}"
        if not self.clients and not self.tokens:
            yield f"{begin} --token-file FILE"


def _principal(name: str, credential: str) -> Iterator[str]:
    key = name if BARE.fullmatch(name) else f'"{name}"'
    yield f"[security.principals.{key}]"
    yield credential
    yield 'roles = ["read", "run"]'


def _until(time: datetime) -> str:
    return f", until {time:%Y-%m-%d}"
