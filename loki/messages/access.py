"""Who may call the gateway, and what each of them may, as it is told at boot."""

from enum import Enum

import msgspec

EVERY_SCRIPT = ("*",)


class ClientRole(Enum):
    """What a caller may do; called as in the settings, whose words refusals give."""

    VIEW = "read"  # See scripts, children and executions.
    EXECUTE = "run"  # Run scripts that the device holds, and cancel executions.
    ADHOC = "adhoc"  # Run source text that comes with the call.
    DATA = "data"  # Read what scripts keep, such as time series.
    REGISTER = "register"  # Add, change and remove scripts.
    ADMIN = (
        "admin"  # Read the log and make backups, which tell of everybody's scripts; reset parts.
    )
    FAULT = "fault"  # Inject faults.


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """How much one principal may ask for; 0 is no bound."""

    requests_per_s: float = 0.0
    request_bytes_per_s: int = 0
    runs_in_flight: int = 0
    scripts: int = 0  # Registered ones that are there at a time.


NO_QUOTA = Quota()


class PrincipalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may call, and how it is known: at least one of the last three."""

    name: str
    roles: tuple[ClientRole, ...]
    scripts: tuple[str, ...] = EVERY_SCRIPT  # Globs over names.
    quota: Quota = NO_QUOTA
    token_file: str = ""  # Read again when it changes.
    token_digest: bytes = b""  # SHA-256 of a token that came from the environment.
    certificate: str = ""  # Common name, or a name that the client certificate is made for.


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of PEM files."""

    certificate: str
    key: str
    client_ca: str = ""  # With it, no client gets in without a certificate of that authority.


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides who gets in."""

    principals: tuple[PrincipalEntry, ...] = ()
    anonymous_loopback: bool = True  # Whether this device needs no credentials.
    tls: TlsFiles | None = None
