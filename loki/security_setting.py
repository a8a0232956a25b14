"""`[security]`: TLS, who may call and as what, and what scripts without a manifest may do."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from loki.actors.file.credential_file import digest_of
from loki.core.address import is_socket, path_of
from loki.errors import ConfigurationError
from loki.messages.access import (
    EVERY_SCRIPT,
    AccessConfig,
    ClientRole,
    PrincipalEntry,
    Quota,
    TlsFiles,
)
from loki.tool.problem import MISSING, Breach, Table, broken

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
NAME_RULE = "1 to 64 of a-z, A-Z, 0-9 and _ . @ -, with none of . @ - first"
"""Of a principal; it stands in logs and in the history of executions."""
LOCAL = "local"
MOST_PRINCIPALS = 256  # Each call with a token compares it with all of theirs: 0.3 µs each.

RoleWord = Literal["read", "run", "register", "adhoc", "data", "admin", "fault"]
ROLES: dict[RoleWord, tuple[ClientRole, ...]] = {
    "read": (ClientRole.VIEW,),
    "run": (ClientRole.VIEW, ClientRole.EXECUTE),
    "register": (ClientRole.VIEW, ClientRole.REGISTER),
    "adhoc": (ClientRole.VIEW, ClientRole.EXECUTE, ClientRole.ADHOC),
    "data": (ClientRole.VIEW, ClientRole.DATA),
    "admin": (ClientRole.VIEW, ClientRole.DATA, ClientRole.ADMIN),
    "fault": (ClientRole.VIEW, ClientRole.FAULT),
}
"""Whoever may do something may also see what it is done to."""
UNBOUNDED: tuple[RoleWord, ...] = ("adhoc", "admin")
"""Reach every script, whatever its name: source may call any, a log and a backup tell of all."""

Amount = Annotated[int, Field(ge=0, le=2**31 - 1)]


class QuotaSettings(Table):
    """How much one principal may ask for; 0 is no bound."""

    requests_per_s: Annotated[float, Field(ge=0, le=1e6)] = 100.0  # Calls in a second.
    request_kb_per_s: Amount = 8192  # KiB of requests in a second.
    runs_in_flight: Amount = 8  # Executions at once, queued ones too.
    scripts: Amount = 200  # Registered ones.


class OwnQuotaSettings(Table):
    """As `[security.quotas]`; what is left out is as for everybody."""

    requests_per_s: Annotated[float | None, Field(ge=0, le=1e6)] = None  # Calls in a second.
    request_kb_per_s: Amount | None = None  # KiB of requests in a second.
    runs_in_flight: Amount | None = None  # Executions at once, queued ones too.
    scripts: Amount | None = None  # Registered ones.

    @model_serializer(mode="wrap")
    def _what_is_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """TOML has no word for what is not there."""
        return {name: value for name, value in dump(self).items() if value is not None}

    def over(self, common: QuotaSettings) -> Quota:
        held = QuotaSettings(**common.model_dump() | self.model_dump(exclude_none=True))
        return Quota(
            requests_per_s=held.requests_per_s,
            request_bytes_per_s=held.request_kb_per_s * 1024,
            runs_in_flight=held.runs_in_flight,
            scripts=held.scripts,
        )


class PrincipalSettings(Table):
    """Somebody who may call."""

    token_file: str = ""  # Path of a file that nobody else may read.
    token_env: str = ""  # Name of an environment variable; the token never stands here itself.
    certificate: str = ""  # Common name or subject alternative name of a client certificate.
    roles: tuple[RoleWord, ...] = ("read",)  # What it may do; each may also see what there is.
    scripts: tuple[str, ...] = EVERY_SCRIPT  # Globs over names.
    quotas: OwnQuotaSettings = OwnQuotaSettings()

    @field_validator("roles", "scripts", mode="before")
    @classmethod
    def _listed(cls, names: object) -> object:
        return tuple(names) if isinstance(names, list) else names

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if found := tuple(self._breaches()):
            raise broken(*found)
        return self

    def _breaches(self) -> Iterator[Breach]:
        if not (self.token_file or self.token_env or self.certificate):
            text = (
                "names no credentials: give token_file, token_env or certificate "
                "(`loki init-tls --token NAME` makes a token)"
            )
            yield Breach((), MISSING, text)
        if self.token_file and self.token_env:
            yield Breach(("token_env",), self.token_env, "is one token too many: token_file is set")
        if not self.roles:
            yield Breach(("roles",), self.roles, "must not be empty")
        if not self.scripts:
            yield Breach(("scripts",), self.scripts, 'must not be empty; ["*"] is every script')
        if "*" not in self.scripts:
            for role in UNBOUNDED:
                if role in self.roles:
                    text = 'reaches every script, so it goes with scripts = ["*"] only'
                    yield Breach(("roles",), role, text)

    def client_roles(self) -> tuple[ClientRole, ...]:
        held = {client for word in self.roles for client in ROLES[word]}
        return tuple(role for role in ClientRole if role in held)


class SecuritySettings(Table):
    default_permissions: dict[str, object] = {}  # Of tools without a manifest.
    adhoc_permissions: dict[str, object] = {}  # Of source sent along with a call.
    tls_certificate: str = ""  # PEM files; the certificate with its chain.
    tls_key: str = ""  # PEM file of the certificate's key.
    tls_client_ca: str = ""  # With it every client needs a certificate of this authority.
    anonymous_loopback: bool = True  # Whether this device calls without credentials, as `local`.
    quotas: QuotaSettings = QuotaSettings()  # Of each principal; `local` has none.
    principals: dict[str, PrincipalSettings] = {}

    @field_validator("principals")
    @classmethod
    def _named(cls, principals: dict[str, PrincipalSettings]) -> dict[str, PrincipalSettings]:
        found = [*_misnamed(principals), *_doubles(principals)]
        if len(principals) > MOST_PRINCIPALS:
            found.append(Breach((), len(principals), f"are more than {MOST_PRINCIPALS}"))
        if found:
            raise broken(*found)
        return principals

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if found := tuple(self._breaches()):
            raise broken(*found)
        return self

    def _breaches(self) -> Iterator[Breach]:
        pair = {"tls_certificate": self.tls_certificate, "tls_key": self.tls_key}
        missing = [key for key, path in pair.items() if not path]
        if len(missing) == 1:
            yield Breach((missing[0],), "", "is needed too; `loki init-tls` makes both files")
        if self.tls_client_ca and missing:
            yield Breach(("tls_client_ca",), self.tls_client_ca, "needs tls_certificate, tls_key")
        for name, principal in self.principals.items():
            if principal.certificate and not self.tls_client_ca:
                at = ("principals", name, "certificate")
                text = "needs tls_client_ca, the authority that client certificates are checked by"
                yield Breach(at, principal.certificate, text)
        if not self.anonymous_loopback and not self.principals:
            text = "leaves nobody who may call: add [security.principals.NAME]"
            yield Breach(("anonymous_loopback",), False, text)


def _misnamed(principals: dict[str, PrincipalSettings]) -> Iterator[Breach]:
    for name in principals:
        if not NAME.fullmatch(name):
            text = f"is no name for a principal: {NAME_RULE}"
            yield Breach((name,), MISSING, text)
        if name == LOCAL:
            text = "is who calls from this device without credentials; choose another name"
            yield Breach((name,), MISSING, text)


def _doubles(principals: dict[str, PrincipalSettings]) -> Iterator[Breach]:
    """Two principals with one credential would be whichever comes last."""
    for key in ("token_file", "token_env", "certificate"):
        held: dict[str, str] = {}
        for name, principal in principals.items():
            value = getattr(principal, key)
            if value and value in held:
                text = f"is that of '{held[value]}' already"
                yield Breach((name, key), value, text)
            held.setdefault(value, name)


def exposed(host: str, security: SecuritySettings) -> str:
    """What must not be so about serving at `host`; "" where all is well."""
    if is_socket(host):
        return "" if path_of(host) else "must name the path of the socket"
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "must be an IP address such as 127.0.0.1 or 0.0.0.0, localhost, or unix:PATH"
    missing = []
    if not security.tls_certificate:
        missing.append("TLS ([security] tls_certificate and tls_key)")
    if not security.principals:
        missing.append("somebody who may call ([security.principals.NAME])")
    if local or not missing:
        return ""
    return (
        f"other devices reach this address, so it needs {' and '.join(missing)}: `loki init-tls` "
        "makes the files and prints the lines for the settings; or use 127.0.0.1"
    )


def access_config(
    security: SecuritySettings, resolve: Callable[[str], str], environment: Mapping[str, str]
) -> AccessConfig:
    """What the gateway is told. `resolve` makes paths of the settings whole ones.

    Raises: ConfigurationError for a token that the environment does not have.
    """
    tls = None
    if security.tls_certificate:
        tls = TlsFiles(
            certificate=resolve(security.tls_certificate),
            key=resolve(security.tls_key),
            client_ca=resolve(security.tls_client_ca) if security.tls_client_ca else "",
        )
    return AccessConfig(
        principals=tuple(
            PrincipalEntry(
                name=name,
                roles=each.client_roles(),
                scripts=each.scripts,
                quota=each.quotas.over(security.quotas),
                token_file=resolve(each.token_file) if each.token_file else "",
                token_digest=_from_environment(name, each.token_env, environment),
                certificate=each.certificate,
            )
            for name, each in security.principals.items()
        ),
        anonymous_loopback=security.anonymous_loopback,
        tls=tls,
    )


def _from_environment(name: str, variable: str, environment: Mapping[str, str]) -> bytes:
    if not variable:
        return b""
    where = f"security.principals.{name}.token_env"
    if variable not in environment:
        raise ConfigurationError(f"{where} = {variable}: the environment has no such variable")
    return digest_of(environment[variable].encode(), f"{where} = {variable}")
