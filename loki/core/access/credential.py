"""Which principal a caller is, by what it shows: a token, a client certificate, or its address."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loki.core.access.principal import LOCAL, Principal
from loki.errors import ErrorCode, PermissionRefused
from loki.messages.access import PrincipalEntry

SCHEME = "bearer"
REMEDY = "send 'authorization: Bearer TOKEN' (loki --token-file FILE)"


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of a caller before anything is believed."""

    local: bool  # Whether it calls from this device.
    authorization: tuple[str, ...] = field(default=(), repr=False)  # Headers of that name.
    names: tuple[str, ...] = ()  # In its client certificate, which TLS has verified.


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that lets anybody in. What is shown and wrong is never passed over for what is not."""

    tokens: tuple[tuple[bytes, Principal], ...] = field(default=(), repr=False)
    certificates: Mapping[str, Principal] = field(default_factory=dict)
    anonymous_loopback: bool = True

    def identify(self, caller: Caller) -> Principal:
        """A token counts before a certificate. Raises: PermissionRefused (NO_CREDENTIALS)."""
        if caller.authorization:
            return self._by_token(caller.authorization)
        for name in caller.names:
            if name in self.certificates:
                return self.certificates[name]
        if caller.local and self.anonymous_loopback:
            return LOCAL
        raise refusal(self._missing(caller))

    def _by_token(self, headers: tuple[str, ...]) -> Principal:
        scheme, _, token = headers[0].partition(" ")
        if len(headers) > 1 or scheme.lower() != SCHEME:
            raise refusal(f"one 'authorization' header is expected; {REMEDY}")
        shown, found = digest(token.strip().encode(errors="replace")), None
        for held, principal in self.tokens:  # All of them, so that the time tells nothing.
            if hmac.compare_digest(held, shown):
                found = principal
        if found is None:
            raise refusal("the token is not valid here")
        return found

    def _missing(self, caller: Caller) -> str:
        if caller.names:
            return f"the client certificate of '{caller.names[0]}' is no principal's; {REMEDY}"
        where = "calls need credentials here, also from this device"
        if not caller.local:
            where = "calls from another device need credentials"
        return f"{where}; {REMEDY}"


def digest(token: bytes) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token).digest()


def credentials_of(
    entries: Iterable[PrincipalEntry], tokens: Mapping[str, bytes], *, anonymous_loopback: bool
) -> Credentials:
    """`tokens` are the digests of those that are in files, by the name of their principal."""
    known = [(entry, principal_of(entry)) for entry in entries]
    return Credentials(
        tokens=tuple(
            (held, principal)
            for entry, principal in known
            for held in (entry.token_digest, tokens.get(entry.name, b""))
            if held
        ),
        certificates={
            entry.certificate: principal for entry, principal in known if entry.certificate
        },
        anonymous_loopback=anonymous_loopback,
    )


def principal_of(entry: PrincipalEntry) -> Principal:
    return Principal(entry.name, frozenset(entry.roles), entry.scripts, entry.quota)


def refusal(text: str) -> PermissionRefused:
    return PermissionRefused(text, code=ErrorCode.NO_CREDENTIALS)
